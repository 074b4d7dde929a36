// What the client scripts share: they are started by a test that plays the other side (delivers mail, flags, expunges, says what the
// store holds). A request is one line of JSON on standard output, its answer one line on standard input.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const readline = require('node:readline');

const waiting = [];
const input = readline.createInterface({ input: process.stdin });
input.on('line', line => waiting.shift()(JSON.parse(line)));

// The test does `name` and answers.
function ask(name, ...args) {
    return new Promise(resolve => {
        waiting.push(resolve);
        process.stdout.write(JSON.stringify([name, ...args]) + '\n');
    });
}

const env = process.env;
const server = {
    host: 'localhost',
    port: Number(env.PORT),
    user: env.MAIL_USER,
    password: env.MAIL_PASSWORD,
    security: env.SECURITY,
    ca: env.CERTIFICATE ? fs.readFileSync(env.CERTIFICATE) : undefined
};

function sha256(octets) {
    return crypto.createHash('sha256').update(octets).digest('hex');
}

// Resolves to an event's arguments; rejects where it does not come in time.
function event(emitter, name, accept = () => true, seconds = 10) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
            emitter.removeListener(name, heard);
            reject(new Error(`no '${name}' within ${seconds} s`));
        }, seconds * 1000);
        function heard(...args) {
            if (!accept(...args)) return;
            clearTimeout(timer);
            emitter.removeListener(name, heard);
            resolve(args);
        }
        emitter.on(name, heard);
    });
}

// Runs the scenario that is named on the command line; every failure is the exit status 1 with its stack.
function play(scenarios) {
    process.on('unhandledRejection', error => {
        console.error(error);
        process.exit(1);
    });
    const scenario = scenarios[process.argv[2]];
    if (!scenario) throw new Error(`no scenario ${process.argv[2]}`);
    scenario().then(
        () => input.close(),
        error => {
            console.error(error);
            process.exit(1);
        }
    );
}

module.exports = { ask, env, event, play, server, sha256 };
