'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const Imap = require('imap');
const { ask, env, event, play, server, sha256 } = require('./conversation.js');

// A connection whose callbacks are promises: box.call('openBox', 'INBOX').
async function connected(options) {
    const box = new Imap({
        user: server.user,
        password: server.password,
        host: server.host,
        port: server.port,
        tls: server.security === 'tls',
        autotls: server.security === 'starttls' ? 'required' : 'never',
        tlsOptions: { ca: server.ca, servername: server.host },
        keepalive: { idleInterval: 60_000, forceNoop: false },
        ...options
    });
    box.call = (name, ...args) =>
        new Promise((resolve, reject) => box[name](...args, (error, ...results) => (error ? reject(error) : resolve(results[0]))));
    await new Promise((resolve, reject) => {
        box.once('ready', resolve);
        box.once('error', reject);
        box.connect();
    });
    box.on('error', error => {
        console.error(error);
        process.exit(1);
    });
    return box;
}

function ended(box) {
    const end = new Promise(resolve => box.once('close', resolve));
    box.end();
    return end;
}

// [{attributes, bodies: {which: Buffer}}] in the order of their sequence numbers.
function fetched(box, source, options) {
    return new Promise((resolve, reject) => {
        const found = [];
        const fetch = box.fetch(source, options);
        fetch.on('message', (message, number) => {
            const one = { number, bodies: {} };
            found.push(one);
            message.on('body', (stream, info) => {
                const pieces = [];
                stream.on('data', piece => pieces.push(piece));
                stream.once('end', () => (one.bodies[info.which] = Buffer.concat(pieces)));
            });
            message.once('attributes', attributes => (one.attributes = attributes));
        });
        fetch.once('error', reject);
        fetch.once('end', () => resolve(found.sort((a, b) => a.number - b.number)));
    });
}

async function mailboxes() {
    const box = await connected();
    const listed = await box.call('getBoxes');
    assert.deepEqual(Object.keys(listed).sort(), ['Archive', 'Drafts', 'INBOX', 'Junk', 'Sent', 'Trash']);
    for (const name of ['Archive', 'Drafts', 'Junk', 'Sent', 'Trash']) assert.equal(listed[name].special_use_attrib, '\\' + name);
    const name = 'Entwürfe';
    await box.call('addBox', name);
    await box.call('addBox', name + '/Übersicht');
    assert.deepEqual(Object.keys((await box.call('getBoxes'))[name].children), ['Übersicht']);
    await box.call('subscribeBox', name);
    assert.ok((await box.call('getSubscribedBoxes'))[name]);
    await box.call('unsubscribeBox', name);
    assert.ok(!(await box.call('getSubscribedBoxes'))[name]?.attribs.includes('\\Subscribed'));
    await box.call('renameBox', name, 'Pläne');
    await box.call('delBox', 'Pläne/Übersicht');
    await box.call('delBox', 'Pläne');
    assert.deepEqual(Object.keys(await box.call('getBoxes')).length, 6);
    assert.equal((await box.call('status', 'INBOX')).messages.total, 3);
    await assert.rejects(box.call('openBox', 'Nowhere'), error => error.source === 'protocol' && error.textCode === 'NONEXISTENT');
    await ended(box);
}

async function messages() {
    const box = await connected();
    const inbox = await box.call('openBox', 'INBOX', false);
    assert.equal(inbox.messages.total, 3);
    assert.equal(inbox.persistentUIDs, true);
    const truth = await ask('truth', 'INBOX');
    const got = await fetched(box.seq, '1:*', { bodies: ['', 'HEADER.FIELDS (SUBJECT)', 'TEXT'], struct: true, envelope: true, size: true });
    assert.equal(got.length, 3);
    for (const [i, message] of got.entries()) {
        assert.equal(message.attributes.uid, truth[i].uid);
        assert.equal(message.attributes.size, truth[i].size);
        assert.equal(sha256(message.bodies['']), truth[i].sha256);
        assert.equal(message.bodies['HEADER.FIELDS (SUBJECT)'].toString(), `Subject: ${truth[i].subject}\r\n\r\n`);
        assert.ok(message.bodies[''].subarray(-message.bodies.TEXT.length).equals(message.bodies.TEXT));
        assert.equal(message.attributes.envelope.subject, truth[i].subject);
        assert.ok(message.attributes.struct.length > 0);
    }
    const uids = truth.map(m => m.uid);
    assert.deepEqual(await box.call('search', ['UNSEEN', ['SUBJECT', 'Message 1']]), [uids[1]]);
    assert.deepEqual(await box.call('search', [['OR', ['BODY', 'From here on'], ['LARGER', 1000000]]]), uids);
    await box.call('addFlags', [uids[1]], ['\\Flagged']);
    await box.call('addKeywords', [uids[1]], ['Important']);
    await box.call('setFlags', uids[2], ['\\Answered']);
    await box.call('delFlags', uids[2], ['\\Answered']);
    await box.call('copy', [uids[0], uids[1]], 'Archive');
    await box.call('move', uids[2], 'Trash');
    await box.call('addFlags', uids[0], '\\Deleted');
    await box.call('expunge', uids[0]);
    assert.deepEqual((await ask('truth', 'INBOX')).map(m => [m.uid, m.flags]), [[uids[1], ['Important', '\\Flagged']]]);
    assert.deepEqual((await ask('truth', 'Archive')).map(m => m.sha256), [truth[0].sha256, truth[1].sha256]);
    assert.deepEqual((await ask('truth', 'Trash')).map(m => m.sha256), [truth[2].sha256]);
    for (const size of [10, 3_000_000]) {
        const octets = Buffer.from(`Subject: Appended ${size}\r\n\r\n${'Grüße. '.repeat(size / 10)}\r\n`);
        await box.call('append', octets, { mailbox: 'Drafts', flags: ['\\Seen', '\\Draft'], date: new Date('2024-02-29T12:00:00Z') });
        const stored = (await ask('truth', 'Drafts')).at(-1);
        assert.equal(stored.sha256, sha256(octets));
        assert.deepEqual(stored.flags, ['\\Draft', '\\Seen']);
    }
    await box.call('closeBox', false);
    await ended(box);
}

async function idle() {
    const box = await connected();
    await box.call('openBox', 'INBOX', false);
    const first = (await ask('truth', 'INBOX'))[0].uid;
    const steps = [
        ['mail', () => box._box.messages.total === 4, ['deliver', 1]],
        ['update', (number, info) => number === 1 && info.flags.includes('\\Flagged'), ['store', first, '\\Flagged']],
        ['expunge', number => number === 1, ['expunge', first]],
        ['mail', () => box._box.messages.total === 5, ['deliver', 2]],
        ['mail', () => box._box.messages.total === 6, ['pop3_and_deliver']]
    ];
    for (const [name, accept, request] of steps) {
        const heard = event(box, name, accept);
        await ask(...request);
        await heard;
    }
    assert.equal(box._box.messages.total, (await ask('truth', 'INBOX')).length);
    await ended(box);
}

async function condstore() {
    const box = await connected();
    const inbox = await box.call('openBox', 'INBOX', false);
    const since = String(inbox.highestmodseq);
    const uids = (await ask('truth', 'INBOX')).map(m => m.uid);
    await ask('store', uids[1], '\\Answered');
    const changed = await fetched(box, '1:*', { modifiers: { changedsince: since } });
    // A change may be told more than once: as the answer and as news.
    assert.ok(changed.length > 0);
    for (const { attributes } of changed) {
        assert.equal(attributes.uid, uids[1]);
        assert.deepEqual(attributes.flags.filter(flag => flag !== '\\Recent'), ['\\Answered']);
    }
    assert.ok(BigInt(changed[0].attributes.modseq) > BigInt(since));
    assert.deepEqual((await box.call('search', [['MODSEQ', String(BigInt(since) + 1n)]])).map(Number), [uids[1]]);
    const found = await box.call('esearch', ['ALL'], ['MIN', 'MAX', 'COUNT']);
    assert.deepEqual([found.min, found.max, found.count].map(Number), [uids[0], uids[2], 3]);
    await ended(box);
}

async function parts() {
    const box = await connected();
    await box.call('openBox', 'INBOX', true);
    const [message] = await fetched(box.seq, '*', { struct: true });
    const attachment = message.attributes.struct[2][0];
    assert.equal(attachment.disposition.params.filename, 'figures.bin');
    assert.equal(attachment.encoding, 'base64');
    // Streamed: what is held at a time is a piece, not the attachment.
    const hash = crypto.createHash('sha256');
    let octets = 0;
    await new Promise((resolve, reject) => {
        const fetch = box.fetch(message.attributes.uid, { bodies: [attachment.partID] });
        fetch.once('error', reject);
        fetch.once('end', resolve);
        fetch.on('message', one =>
            one.on('body', stream => {
                let rest = '';
                stream.on('data', piece => {
                    const text = rest + piece.toString('latin1').replace(/\s/g, '');
                    rest = text.slice(text.length - (text.length % 4));
                    const decoded = Buffer.from(text.slice(0, text.length - rest.length), 'base64');
                    hash.update(decoded);
                    octets += decoded.length;
                });
            })
        );
    });
    assert.equal(octets, Number(env.ATTACHMENT_OCTETS));
    assert.equal(hash.digest('hex'), env.ATTACHMENT_SHA256);
    await ended(box);
}

async function refused() {
    await assert.rejects(connected({ password: 'wrong' }), error => error.source === 'authentication');
    await assert.rejects(connected({ tlsOptions: { servername: server.host } }), /self-signed/);
}

play({ mailboxes, messages, idle, condstore, parts, refused });
