// Quick uploads of which nothing but the start is told, for 62-lost-events.bats:
// nobody listens where nginx sends its log lines.
//
//   ends.mjs concluded url=URL tls=TLS_URL [rounds=5] [last=told]
//
// Each ends before anything can have measured it. Whole ones have to be told
// as done with their size, others as error 499. last=unknown: where the kernel
// does not tell of sockets that are gone it is enough that all are concluded.
import http from 'node:http';
import https from 'node:https';

import { Asker, Upload } from './fault-uploads.mjs';
import { expect, main, pause, poll } from './peer.mjs';

const LIMIT_MS = 30000;
// Within a tick of the kernel's clock, 10 at most by CONFIG_HZ, an answer to the
// one before, or the end of the handshake, looks like an answer to this one.
const TICK_MS = 20;

const kinds = [
    { name: 'memory', bytes: 9000 },
    { name: 'file', bytes: 300000 },
    { name: 'large', bytes: 3000000 },
    { name: 'half', bytes: 300000, abortAt: 150000 },
    { name: 'but-one', bytes: 300000, abortAt: 299999 },
];

// How connections are used. before: uploads that go first on a connection.
const connections = [
    { name: 'own', exact: true },
    { name: 'kept', exact: true, kept: true },
    { name: 'second', exact: false, kept: true, before: 1 },
    { name: 'sixth', exact: false, kept: true, before: 5 },
    { name: 'own-tls', exact: false, secure: true },
    { name: 'second-tls', exact: false, secure: true, kept: true, before: 1 },
];

function agentOf({ kept, secure }) {
    const { Agent } = secure ? https : http;

    return new Agent({ keepAlive: Boolean(kept), maxSockets: 1, rejectUnauthorized: false });
}

async function run(url, kind, connection, round) {
    const agent = agentOf(connection);
    const upload = new Upload(url, { ...kind, agent, pauseMs: connection.secure ? TICK_MS : 0,
        id: `${connection.name}-${kind.name}-${round}` });
    const before = [];

    for (let i = 0; i < (connection.before ?? 0); i++) {
        before.push(await new Upload(url, { bytes: 20000, agent, id: `${upload.id}-before-${i}` }).run());
    }
    if (before.length > 0) {
        await pause(TICK_MS);
    }
    await upload.run();
    agent.destroy();
    return [...before.map((one) => ({ upload: one, exact: false })),
        { upload, exact: connection.exact }];
}

function fault({ upload, exact }, answer) {
    const { state, status, inferred, received, size } = answer;
    const whole = upload.abortAt === null;

    // nginx does not wait for the daemon where the client is gone already.
    if (!whole && state === 'starting') {
        return '';
    }
    const good = whole
        ? upload.status === 200 && state === 'done' && received === upload.bytes
        : state === 'error' && status === 499 &&
            (exact ? received === upload.sent : received <= upload.sent);

    return good && inferred && size === upload.bytes ? ''
        : `${upload.id}: ${state} ${status} ${received} of ${size} inferred ${inferred}`;
}

async function concluded({ url, tls, rounds = 5, last = 'told' }) {
    const all = [];
    const asker = new Asker(url);
    let answers;

    for (let round = 0; round < Number(rounds); round++) {
        for (const connection of connections) {
            all.push(...(await Promise.all(kinds.map((kind) =>
                run(connection.secure ? tls : url, kind, connection, round)))).flat());
        }
    }
    await poll('the conclusions', async () => {
        answers = await asker.ask(all.map(({ upload }) => upload.id));
        return [...answers.values()].every(({ state }) => state !== 'uploading');
    }, LIMIT_MS).catch(() => {});
    asker.close();
    const faults = all.map((one) => fault(one, answers.get(one.upload.id))).filter(Boolean);
    console.log(`# ${all.length} uploads, ${faults.length} are told wrongly`);
    if (last === 'told') {
        expect('wrong answers', faults.slice(0, 10).join('; '), '');
    }
}

await main({ concluded });
