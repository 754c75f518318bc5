// Ten thousand peers at once, of all kinds, and probes beside them; for
// 65-crowd.bats.
//
//   crowd.mjs crowd url=URL fastcgi=ADDRESS scgi=ADDRESS pid=DAEMON count=10000
//       limit=MS
//   crowd.mjs beyond url=URL fastcgi=ADDRESS count=10000 max=CONNECTIONS
//
// limit is when each has to be closed, whatever it does. Lines of output that
// begin with "#" are the figures.
import fs from 'node:fs';

import { ABORT, FastcgiClient, PARAMS, begin, pairs, probeParams, record, request }
    from './fastcgi.mjs';
import { ProbeStream, summary } from './fault-uploads.mjs';
import { Peer, expect, main, poll } from './peer.mjs';
import * as scgi from './scgi.mjs';

const AT_ONCE = 200; // less than the backlog
const GIB = 1 << 30;
const params = probeParams('nobody');
const probe = request(params);

// Each kind: its share of all, its protocol, what it sends; answered: whether
// it is to get an answer.
const kinds = {
    'silent': { share: 0.6, scgi: () => {}, fastcgi: () => {} },
    'a byte a second': {
        share: 0.2,
        fastcgi: (peer) => peer.writeInPieces(probe, 1, 1000),
        scgi: (peer) => peer.writeInPieces(scgi.request(params), 1, 1000),
    },
    'a body of 4 GiB': {
        share: 0.1,
        fastcgi: (peer) => peer.write(request({ ...params, CONTENT_LENGTH: String(4 * GIB) },
            { body: null })),
        scgi: (peer) => peer.write(scgi.request(params, { contentLength: 4 * GIB })),
    },
    'parameters of 4 GiB': {
        share: 0.02,
        scgi: (peer) => peer.write(Buffer.from(`${4 * GIB}:CONTENT_LENGTH`)),
    },
    'an unknown role': {
        share: 0.02,
        fastcgi: (peer) => peer.write(request(params, { role: 7 })),
    },
    'an abort': {
        share: 0.02,
        fastcgi: (peer) => peer.write(Buffer.concat([begin(), record(PARAMS, pairs(params)),
            record(ABORT)])),
    },
    'a parameter in many records': {
        share: 0.04, answered: true,
        fastcgi: (peer, i) => peer.write(request(params, { piece: 1 + i % 7, keep: false,
            long: i % 2 === 1 })),
    },
};

function resident(pid) {
    return Number(/^VmRSS:\s*(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
}

async function openKind(kind, count, addresses) {
    const protocols = ['fastcgi', 'scgi'].filter((protocol) => kind[protocol]);
    const peers = [];

    while (peers.length < count) {
        const some = Math.min(AT_ONCE, count - peers.length);

        peers.push(...await Promise.all(Array.from({ length: some }, async (_, i) => {
            const protocol = protocols[i % protocols.length];
            const peer = await Peer.open(addresses[protocol]);

            peer.openedAt = performance.now();
            kind[protocol](peer, i);
            return peer;
        })));
    }
    return peers;
}

async function crowd({ url, fastcgi, scgi: scgiAddress, pid, count = 10000, limit = 30000 }) {
    const alone = new ProbeStream(url, { intervalMs: 5 });
    const before = resident(pid);
    const groups = new Map();

    await poll('some probes', () => alone.answers.length >= 100);
    await alone.stop();
    const probes = new ProbeStream(url, { intervalMs: 5 });
    for (const [name, kind] of Object.entries(kinds)) {
        groups.set(name, await openKind(kind, Math.round(Number(count) * kind.share),
            { fastcgi, scgi: scgiAddress }));
    }
    const most = [...groups.values()].flat().filter((peer) => !peer.isClosed).length;
    const during = resident(pid);
    for (const [name, peers] of groups) {
        await poll(`the end of all of ${name}`, () => peers.every((peer) => peer.isClosed),
            Number(limit));
        const answered = peers.filter((peer) => peer.received.length > 0).length;
        const longest = Math.max(...peers.map((peer) => peer.closedAt - peer.openedAt));

        console.log(`# ${name}: ${peers.length}, ${answered} answered, ` +
            `the last closed after ${longest.toFixed()} ms`);
        expect(`answers to ${name}`, answered, kinds[name].answered ? peers.length : 0);
        peers.forEach((peer) => peer.close());
    }
    await probes.stop();
    const took = (stream) => summary(stream.answers.map((answer) => answer.took));
    console.log(`# ${most} open at once; ${during - before} kB more`);
    console.log(`# probes alone: ${took(alone)}; beside them: ${probes.statuses()}, ` +
        `${took(probes)}`);
    expect('failed probes', probes.answers.filter(({ status }) => status !== 200).length, 0);
    const client = await FastcgiClient.open(fastcgi);
    expect('state', (await client.probe('nobody')).state, 'starting');
    client.close();
}

// More than allowed, none of which sends anything: the further ones are closed
// at once, and nginx's kept connection is among those that are in.
async function beyond({ url, fastcgi, count = 10000, max }) {
    const probes = new ProbeStream(url, { intervalMs: 5 });
    const peers = await openKind({ fastcgi: () => {} }, Number(count), { fastcgi });
    const closed = () => peers.filter((peer) => peer.isClosed).length;

    await poll('the others to be closed', () => closed() > Number(count) - Number(max));
    await probes.stop();
    console.log(`# ${closed()} of ${count} closed; probes meanwhile: ${probes.statuses()}, ` +
        summary(probes.answers.map(({ took }) => took)));
    expect('failed probes', probes.answers.filter(({ status }) => status !== 200).length, 0);
    peers.forEach((peer) => peer.close());
}

await main({ crowd, beyond });
