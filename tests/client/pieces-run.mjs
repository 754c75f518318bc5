// Sends files in pieces by a real client, through the relay and nginx, and tells what
// was wrong; exits 1 then. Options, all as --name=value:
//   client     of pieces-clients.mjs
//   scenario   plain; parallel: three pieces at a time; pause: nothing for a while
//              after the second piece; slow: each piece is answered late;
//              abort: the third piece's connection is cut in its middle; lost: and
//              those that a browser sends it again on by itself;
//              fail: the third piece is answered 500; conflict: it is answered 409;
//              resume: the client ends in the middle of the third piece, another one
//              goes on; parallel-abort, parallel-fail, parallel-resume
//   ids        which of the client's ways to have a progress ID; all without it
//   nginx, relay-port, backend  URL, port, URL
//   prefix     /upload; others, where nginx does not buffer: /upload-stream, /files
//   driver     chromedriver's URL, for pages
//   folder     for what is kept between two processes
//   probes     1: ask for the progress all the time; self: ask one that knows it, which
//              shows that the questions are right; 0: do not ask
//   wire       update: takes what was said as what is expected; show: prints one
//              request of each form
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { CHUNK_BYTES, CLIENTS, fileBytes } from './pieces-clients.mjs';
import { serveTruth } from './pieces-honest.mjs';
import { Oracle } from './pieces-oracle.mjs';
import { Relay } from './pieces-relay.mjs';
import { Watch } from './pieces-watch.mjs';
import { compare, examplesOf, linesOf } from './pieces-wire.mjs';
import { Browser } from './webdriver.mjs';

const RATE = 1 << 20;
const PAUSE_MS = 600;
const SLOW_MS = 200;
const LOST_CUTS = 3;
const FAILURES = { fail: 500, conflict: 409 };
const CLIENT_MS = 60000;
const NODE = new URL('./pieces-node.mjs', import.meta.url).pathname;

const names = ['client', 'scenario', 'ids', 'nginx', 'relay-port', 'backend', 'prefix', 'driver', 'folder',
    'probes', 'wire'];
const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) });
const client = CLIENTS[values.client];
const FILE_BYTES = fileBytes(client);
const scenario = values.scenario ?? 'plain';
const prefix = values.prefix ?? '/upload';
const parallel = scenario.startsWith('parallel') ? 3 : 1;
const trouble = scenario.replace(/^parallel-?/, '') || 'plain';
let browser;

const sleep = (ms) => new Promise((done) => { setTimeout(done, ms); });

function outcomeOf(child) {
    return new Promise((done) => {
        let text = '';

        child.stderr.on('data', (part) => { text += part; });
        child.on('close', (code, signal) => done(code === 0 ? 'done' : `failed: ${signal ?? code} ${text}`));
    });
}

// Both kinds of client: start(config), outcome (a promise), stop().
class NodeClient {
    start(config) {
        this.child = spawn(process.execPath, [NODE, JSON.stringify(config)], { stdio: ['ignore', 'inherit', 'pipe'] });
        this.outcome = outcomeOf(this.child);
        return Promise.resolve();
    }

    async stop() {
        this.child.kill('SIGKILL');
        await this.outcome;
    }
}

class PageClient {
    async start(config) {
        this.stopped = false;
        await browser.go(`${config.origin}/pages/pieces.html`);
        await browser.type('#file', config.file);
        await browser.run('window.begin(arguments[0])', config);
        this.outcome = this.#watch();
    }

    async #watch() {
        for (;;) {
            await sleep(50);
            if (this.stopped) {
                return 'stopped';
            }
            const outcome = await browser.run('return window.outcome');

            if (outcome) {
                return outcome;
            }
        }
    }

    async stop() {
        this.stopped = true;
        await this.outcome;
        await browser.go('about:blank');
    }
}

function configOf(run) {
    return {
        client: client.client, endpoint: `http://127.0.0.1:${values['relay-port']}${prefix}${client.path}`,
        origin: client.cross ? values.nginx : `http://127.0.0.1:${values['relay-port']}`,
        file: run.file, name: path.basename(run.file), chunk: CHUNK_BYTES, parallel,
        session: run.key, ...(client.named && { key: run.key }),
        ...(run.idIn !== 'none' && { id: run.id, idIn: run.idIn }),
        ...(trouble === 'resume' && { state: `${run.file}.state` }),
        ...client.options,
    };
}

// The middle of the third piece.
function atThirdPiece(run, action) {
    let happened = false;

    run.relay.on('body', (record) => {
        const told = run.oracle.told.get(record);

        if (!happened && told?.sent > CHUNK_BYTES / 3 && run.pieces.get(record) === 3) {
            happened = true;
            action(record);
        }
    });
    return () => happened;
}

// The third piece, three times: Chromium sends a request again by itself, once or
// twice, where a connection that it had open ends without a response.
function cutUntilLost(run) {
    let begin = null;
    let cuts = 0;

    run.relay.on('body', (record) => {
        const told = run.oracle.told.get(record);

        if (cuts === LOST_CUTS || !(told?.sent > CHUNK_BYTES / 3)) {
            return;
        }
        if (run.pieces.get(record) === 3) {
            ({ begin } = told);
        }
        if (told.begin === begin) {
            cuts++;
            record.link.close();
        }
    });
    return () => cuts === LOST_CUTS;
}

// Numbers the pieces that have begun.
function countPieces(run) {
    run.pieces = new Map();
    run.relay.on('body', (record) => {
        if (run.oracle.told.get(record)?.sent > 0 && !run.pieces.has(record)) {
            run.pieces.set(record, run.pieces.size + 1);
        }
    });
}

async function within(promise, what) {
    let timer;
    const late = new Promise((done, failed) => {
        timer = setTimeout(() => failed(new Error(`${what}: not in time`)), CLIENT_MS);
    });

    try {
        return await Promise.race([promise, late]);
    } finally {
        clearTimeout(timer);
    }
}

// Lets the scenario's trouble happen; answers whether it has.
async function makeTrouble(run) {
    if (trouble === 'abort') {
        return atThirdPiece(run, (record) => record.link.close());
    }
    if (trouble === 'lost') {
        return cutUntilLost(run);
    }
    if (trouble === 'resume') {
        return atThirdPiece(run, () => {
            run.relay.refuse();
            run.interrupt();
        });
    }
    if (FAILURES[trouble]) {
        await fetch(`${values.backend}/control?fail=${FAILURES[trouble]}&piece=3`);
        return () => run.relay.records.filter(({ status }) => status === FAILURES[trouble]).length === 1;
    }
    if (trouble === 'slow') {
        await fetch(`${values.backend}/control?slow=${SLOW_MS}`);
        return () => true;
    }
    if (trouble === 'pause') {
        let paused = false;

        run.oracle.on('settled', (upload) => {
            if (!paused && upload.pieces.filter((piece) => piece.accepted).length === 2) {
                paused = true;
                run.relay.hold(PAUSE_MS);
            }
        });
        return () => paused;
    }
    return () => true;
}

async function runClient(run) {
    const one = client.kind === 'node' ? new NodeClient() : new PageClient();
    const config = configOf(run);

    if (trouble !== 'resume') {
        await one.start(config);
        return within(one.outcome, 'the client');
    }
    const interrupted = new Promise((done) => { run.interrupt = done; });

    await one.start(config);
    const first = await within(Promise.race([one.outcome, interrupted.then(() => 'interrupted')]), 'the first client');

    if (first !== 'interrupted') {
        return `${first} before it was interrupted`;
    }
    await one.stop();
    run.relay.accept();
    await one.start({ ...config, resume: true });
    return within(one.outcome, 'the second client');
}

function watchAll(run) {
    const start = (id, upload) => {
        run.known.set(id, upload);
        const watch = new Watch({ url: run.probeUrl, id, upload, oracle: run.oracle,
            mustResume: trouble === 'resume' });

        run.watches.push(watch);
        run.watching.push(watch.run());
    };

    if (values.probes === '0' || client.incomplete) {
        return;
    }
    if (run.idIn !== 'none') {
        start(run.id, () => run.oracle.upload());
        return;
    }
    const known = new Set();
    const begin = (upload) => {
        if (upload.key !== undefined && !known.has(upload.key)) {
            known.add(upload.key);
            start(client.probeId(upload, prefix), () => run.oracle.uploads.get(upload.name));
        }
    };

    run.oracle.on('upload', begin);
    run.oracle.on('named', begin);
}

async function judge(run, outcome, happened) {
    const faults = [...run.oracle.faults];
    const upload = run.idIn === 'none' ? [...run.oracle.uploads.values()].at(-1) : run.oracle.upload();

    if (outcome !== 'done') {
        faults.push(`the client has ${outcome}`);
    }
    if (!happened()) {
        faults.push(`no ${trouble} took place`);
    }
    if (!upload) {
        faults.push('the oracle has seen no upload');
    } else if (!client.incomplete) {
        const missing = run.oracle.missing(upload);
        const stored = await (await fetch(`${values.backend}/control/files`)).json();

        if (missing.length > 0) {
            faults.push(`the oracle misses ${JSON.stringify(missing)}`);
        }
        if (!stored.some(({ sha256, size }) => sha256 === run.sha256 && size === FILE_BYTES)) {
            faults.push(`the server has not the client's file: ${JSON.stringify(stored)}`);
        }
        if (upload.total !== FILE_BYTES) {
            faults.push(`the oracle's total is ${upload.total}`);
        }
        const resumed = [...run.oracle.uploads.values()].some(({ resumable }) => resumable.length > 0);

        if (trouble === 'resume' && !resumed) {
            faults.push('nothing came after the interruption');
        }
        // To go on means that what had been accepted does not come again.
        if (trouble === 'resume' && run.oracle.repeated.size > 0 && parallel === 1) {
            faults.push(`sent again: ${JSON.stringify(run.oracle.repeated.list)}`);
        }
    }
    for (const watch of run.watches) {
        faults.push(...watch.faults);
    }
    faults.push(...compare(run.said, run.oracle, values.wire === 'update'));
    return faults;
}

async function runOnce(idIn) {
    const stream = prefix === '/upload' ? '' : ' stream';
    const way = `${scenario} ${idIn}${stream}`;
    const run = { idIn, name: `${values.client} ${way}`, said: `${client.like ?? values.client} ${way}`,
        watches: [], watching: [], known: new Map(), probeUrl: values.nginx };
    let honest;
    const bytes = randomBytes(FILE_BYTES);
    const token = randomBytes(6).toString('hex');

    run.id = `pieces-${token}`;
    run.key = `key-pieces-${token}`;
    run.file = path.join(values.folder, `pieces-${token}.bin`);
    run.sha256 = createHash('sha256').update(bytes).digest('hex');
    fs.writeFileSync(run.file, bytes);
    run.relay = await Relay.listen({ port: Number(values['relay-port']), rate: RATE,
        target: { host: '127.0.0.1', port: Number(new URL(values.nginx).port) } });
    run.oracle = new Oracle({ relay: run.relay, protocol: client.protocol, file: bytes, prefix,
        pieceBytes: CHUNK_BYTES, single: idIn !== 'none' });
    countPieces(run);
    const happened = await makeTrouble(run);

    if (values.probes === 'self') {
        honest = await serveTruth((id) => run.known.get(id)?.());
        run.probeUrl = `http://127.0.0.1:${honest.address().port}`;
    }
    watchAll(run);
    let outcome;

    try {
        outcome = await runClient(run);
    } catch (error) {
        outcome = `failed: ${error.message}`;
    }
    for (const watch of run.watches) {
        watch.stop();
    }
    await Promise.all(run.watching);
    await Promise.all(run.watches.map((watch) => watch.finish()));
    const faults = await judge(run, outcome, happened);

    tell(run, faults);
    await fetch(`${values.backend}/control?slow=0&fail=0`);
    await run.relay.close();
    honest?.close();
    honest?.closeAllConnections();
    fs.rmSync(run.file);
}

function tell(run, faults) {
    for (const watch of run.watches) {
        console.log(`  ${watch.id}: ${watch.readings} readings, ${watch.seen.received.size} counts, ${
            [...watch.seen.phases].join(' ')}`);
    }
    console.log(`${faults.length === 0 ? 'fine' : 'WRONG'}: ${run.name}: ${run.pieces.size} pieces, ${
        run.relay.records.length} requests`);
    if (values.wire === 'show') {
        console.log(examplesOf(run.oracle).map((text) => `    ${text}`).join('\n'));
    }
    if (faults.length > 0) {
        process.exitCode = 1;
        console.log(faults.map((fault) => `  FAULT: ${fault}`).join('\n'));
        console.log(linesOf(run.oracle).map((line) => `  ${line}`).join('\n'));
    }
}

if (client.kind === 'page') {
    browser = await Browser.open(values.driver, path.join(values.folder, 'profile'));
}
try {
    for (const idIn of values.ids?.split(',') ?? client.ids) {
        await runOnce(idIn);
    }
} finally {
    await browser?.close();
}
