'use strict';

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { ImapFlow } = require('imapflow');
const { ask, env, event, play, server, sha256 } = require('./conversation.js');

async function connected(options) {
    const client = new ImapFlow({
        host: server.host,
        port: server.port,
        secure: server.security === 'tls',
        doSTARTTLS: server.security === 'starttls',
        auth: { user: server.user, pass: server.password },
        tls: { ca: server.ca },
        logger: false,
        disableCompression: env.COMPRESS !== '1',
        disableAutoIdle: true,
        ...options
    });
    client.on('error', error => {
        console.error(error);
        process.exit(1);
    });
    await client.connect();
    // _inflate is there once COMPRESS is in force; nothing public says so.
    assert.equal(Boolean(client._inflate), env.COMPRESS === '1' && !(options && options.disableCompression));
    return client;
}

async function all(iterator) {
    const items = [];
    for await (const item of iterator) items.push(item);
    return items;
}

async function mailboxes() {
    const client = await connected();
    const listed = await client.list({ statusQuery: { messages: true, unseen: true, uidNext: true, uidValidity: true, highestModseq: true } });
    const uses = Object.fromEntries(listed.map(box => [box.path, box.specialUse]));
    assert.deepEqual(uses, {
        INBOX: '\\Inbox', Sent: '\\Sent', Drafts: '\\Drafts', Trash: '\\Trash', Junk: '\\Junk', Archive: '\\Archive'
    });
    assert.ok(listed.every(box => box.subscribed && (box.path === 'INBOX' || box.specialUseSource === 'extension')), 'uses come from the server');
    const inbox = listed.find(box => box.path === 'INBOX');
    assert.equal(inbox.status.messages, 3);
    assert.equal(inbox.status.unseen, 3);
    assert.equal(typeof inbox.status.highestModseq, 'bigint');

    const name = 'Entwürfe/Übersicht & 日本語';
    const made = await client.mailboxCreate(name);
    assert.equal(made.created, true);
    assert.equal((await client.mailboxCreate(name)).created, false);
    assert.ok((await client.list()).some(box => box.path === name));
    await client.mailboxSubscribe(name);
    assert.equal((await client.list()).find(box => box.path === name).subscribed, true);
    await client.mailboxUnsubscribe(name);
    assert.ok(!(await client.list()).find(box => box.path === name).subscribed);
    await client.mailboxRename('Entwürfe', 'Pläne');
    assert.ok((await client.list()).some(box => box.path === 'Pläne/Übersicht & 日本語'));
    assert.equal((await client.status('Pläne/Übersicht & 日本語', { messages: true })).messages, 0);
    await client.mailboxDelete('Pläne/Übersicht & 日本語');
    assert.ok(!(await client.list()).some(box => box.path.includes('Übersicht')));
    await assert.rejects(client.mailboxOpen('Nowhere'));
    const tree = await client.listTree();
    assert.ok(tree.folders.length >= 6);
    await client.logout();
}

async function messages() {
    const client = await connected();
    await client.mailboxOpen('INBOX');
    assert.equal(client.mailbox.exists, 3);
    const truth = await ask('truth', 'INBOX');
    const fetched = await all(client.fetch('1:*', { uid: true, flags: true, envelope: true, size: true, source: true,
        internalDate: true, bodyStructure: true, emailId: true, threadId: true, headers: ['subject'] }));
    assert.equal(fetched.length, truth.length);
    for (const [i, message] of fetched.entries()) {
        assert.equal(message.uid, truth[i].uid);
        assert.equal(message.size, truth[i].size);
        assert.equal(sha256(message.source), truth[i].sha256, 'the octets as the store has them');
        assert.equal(message.envelope.subject, truth[i].subject);
        assert.equal(message.headers.toString(), `Subject: ${truth[i].subject}\r\n\r\n`);
        assert.ok(message.internalDate instanceof Date);
        assert.ok(message.emailId, 'OBJECTID');
    }

    // Search, flags, copy, move, delete; each looked at from outside.
    assert.deepEqual(await client.search({ subject: 'Message 1' }, { uid: true }), [fetched[1].uid]);
    assert.deepEqual(await client.search({ or: [{ seq: '1' }, { body: 'From here on', seq: '3' }], not: { seen: true } }), [1, 3]);
    assert.deepEqual(await client.search({ seen: true }), []);
    assert.equal(await client.messageFlagsAdd('2', ['\\Flagged', 'Important']), true);
    assert.equal(await client.messageFlagsSet('3', ['\\Answered']), true);
    assert.equal(await client.messageFlagsRemove('3', ['\\Answered']), true);
    const copied = await client.messageCopy('1:2', 'Archive');
    assert.equal(copied.uidMap.size, 2);
    const moved = await client.messageMove(String(fetched[2].uid), 'Trash', { uid: true });
    assert.equal(moved.uidMap.get(fetched[2].uid), (await ask('truth', 'Trash'))[0].uid);
    assert.equal(await client.messageDelete(String(fetched[0].uid), { uid: true }), true);
    const left = await ask('truth', 'INBOX');
    assert.deepEqual(left.map(m => [m.uid, m.flags]), [[fetched[1].uid, ['Important', '\\Flagged']]]);
    assert.deepEqual((await ask('truth', 'Archive')).map(m => m.sha256), [truth[0].sha256, truth[1].sha256]);
    assert.deepEqual((await ask('truth', 'Trash')).map(m => m.sha256), [truth[2].sha256]);

    // APPEND, small and large.
    for (const size of [10, 3_000_000]) {
        const octets = Buffer.from(`Subject: Appended ${size}\r\n\r\n${'Grüße. '.repeat(size / 10)}\r\n`);
        const appended = await client.append('Drafts', octets, ['\\Seen', '\\Draft'], new Date('2024-02-29T12:00:00Z'));
        const stored = (await ask('truth', 'Drafts')).find(m => m.uid === appended.uid);
        assert.equal(stored.sha256, sha256(octets));
        assert.deepEqual(stored.flags, ['\\Draft', '\\Seen']);
    }
    await client.logout();
}

// IDLE tells of what another session and a delivery do.
async function idle() {
    const client = await connected({ qresync: env.QRESYNC === '1' });
    await client.mailboxOpen('INBOX');
    const first = (await ask('truth', 'INBOX'))[0].uid;
    const idling = client.idle();
    const steps = [
        ['exists', event => event.count === 4, ['deliver', 1]],
        ['flags', event => event.flags.has('\\Flagged') && event.uid === first, ['store', first, '\\Flagged']],
        ['expunge', event => env.QRESYNC === '1' ? event.vanished && event.uid === first : event.seq === 1, ['expunge', first]],
        ['exists', event => event.count === 5, ['deliver', 2]],
        ['exists', event => event.count === 6, ['pop3_and_deliver']]
    ];
    for (const [name, accept, request] of steps) {
        const heard = event(client, name, accept);
        await ask(...request);
        await heard;
    }
    await client.noop(); // ends the IDLE
    await idling;
    assert.equal(client.mailbox.exists, (await ask('truth', 'INBOX')).length);
    await client.logout();
}

async function condstore() {
    const client = await connected();
    const box = await client.mailboxOpen('INBOX');
    assert.ok(client.enabled.has('CONDSTORE'));
    const since = box.highestModseq;
    assert.deepEqual(await all(client.fetch('1:*', { uid: true, flags: true }, { changedSince: since })), []);
    const uids = (await ask('truth', 'INBOX')).map(m => m.uid);
    await ask('store', uids[1], '\\Answered');
    const changed = await all(client.fetch('1:*', { uid: true, flags: true }, { changedSince: since }));
    // A change may be told more than once: as the answer and as news.
    for (const message of changed) {
        assert.equal(message.uid, uids[1]);
        assert.deepEqual([...message.flags].filter(flag => flag !== '\\Recent'), ['\\Answered']);
    }
    assert.ok(changed[0].modseq > since);
    // RFC 7162 3.1.3: a store that is too late does nothing.
    await client.messageFlagsAdd(String(uids[1]), ['\\Flagged'], { uid: true, unchangedSince: since });
    assert.deepEqual((await ask('truth', 'INBOX'))[1].flags, ['\\Answered']);
    assert.deepEqual(await client.search({ modseq: String(since + 1n) }, { uid: true }), [uids[1]]);
    await client.logout();
}

// A second connection asks for what it missed (RFC 7162 3.2.5).
async function qresync() {
    const before = await connected({ qresync: true });
    const box = await before.mailboxOpen('INBOX');
    const uids = (await ask('truth', 'INBOX')).map(m => m.uid);
    await before.logout();
    await ask('expunge', uids[0]);
    await ask('store', uids[2], '\\Flagged');
    await ask('deliver', 2);

    const vanished = [];
    const flagged = [];
    const client = await connected({ qresync: true });
    client.on('expunge', event => vanished.push([event.uid, event.vanished, event.earlier]));
    client.on('flags', event => flagged.push([event.uid, event.flags.has('\\Flagged')]));
    const now = await client.mailboxOpen('INBOX', { changedSince: box.highestModseq, uidValidity: box.uidValidity });
    assert.equal(now.qresync, true);
    assert.deepEqual(vanished, [[uids[0], true, true]]);
    assert.deepEqual(flagged.filter(([uid]) => uids.includes(uid)), [[uids[2], true]]);
    assert.equal(now.exists, 4);
    await client.logout();
}

// The parts of a message with a large attachment, streamed in pieces.
async function parts() {
    const client = await connected();
    await client.mailboxOpen('INBOX');
    const message = await client.fetchOne('*', { uid: true, bodyStructure: true, bodyParts: ['1', '2.mime'] });
    const [text, attachment] = message.bodyStructure.childNodes;
    assert.equal(text.type, 'text/plain');
    assert.equal(attachment.dispositionParameters.filename, 'figures.bin');
    assert.match(message.bodyParts.get('1').toString(), /^Die Übersicht\./);
    assert.match(message.bodyParts.get('2.mime').toString(), /^Content-Type: application\/octet-stream/i);

    const downloads = await client.downloadMany(String(message.uid), ['1'], { uid: true });
    assert.match(downloads['1'].content.toString(), /^Die Übersicht\./);
    for (const chunkSize of [64 * 1024, 1024 * 1024]) {
        const download = await client.download(String(message.uid), '2', { uid: true, chunkSize });
        assert.equal(download.meta.contentType, 'application/octet-stream');
        const hash = crypto.createHash('sha256');
        let octets = 0;
        for await (const piece of download.content) {
            hash.update(piece);
            octets += piece.length;
        }
        assert.equal(octets, Number(env.ATTACHMENT_OCTETS));
        assert.equal(hash.digest('hex'), env.ATTACHMENT_SHA256);
    }
    await client.logout();
}

async function refused() {
    const wrong = new ImapFlow({ host: server.host, port: server.port, secure: true, auth: { user: server.user, pass: 'wrong' },
        tls: { ca: server.ca }, logger: false });
    await assert.rejects(wrong.connect(), error => error.authenticationFailed === true);
    wrong.close();
    const untrusting = new ImapFlow({ host: server.host, port: server.port, secure: true,
        auth: { user: server.user, pass: server.password }, logger: false });
    await assert.rejects(untrusting.connect(), /self-signed/);
    untrusting.close();
}

play({ mailboxes, messages, idle, condstore, qresync, parts, refused });
