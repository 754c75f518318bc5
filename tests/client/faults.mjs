// Uploads and probes while processes stop, die and are replaced, for
// 61-faults.bats. Lines that begin with "#" are the figures.
//
//   faults.mjs stop     url=URL pid=DAEMON [seconds=10]
//   faults.mjs restart  url=URL folder=FOLDER
//   faults.mjs held     url=URL folder=FOLDER [count=20] [cut=any|none]
//
// In the folder they say how far they are, and wait to be told how far the test
// is, by files of these names.
import fs from 'node:fs';
import http from 'node:http';

import { ProbeStream, Resolver, summary, Upload } from './fault-uploads.mjs';
import { expect, main, pause, poll } from './peer.mjs';

const RESOLVED_MS = 30000; // patience, not a promise
const WAIT_MS = 30000;

function say(text) {
    console.log(`# ${text}`);
}

function stage(folder) {
    return {
        reached: (name) => fs.writeFileSync(`${folder}/${name}`, ''),
        is: (name) => fs.existsSync(`${folder}/${name}`),
    };
}

// Uploads one after the other on one kept connection until over().
async function uploadKept(url, resolver, name, over, took) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

    for (let i = 0; !over(); i++) {
        const upload = new Upload(url, { id: `${name}-${i}`, bytes: 10000, agent });

        await resolver.run(upload);
        expect(`status of ${upload.id}`, upload.status, 200);
        took(upload.took);
        await pause(50);
    }
    agent.destroy();
}

// The daemon is stopped for some seconds and goes on.
async function stop({ url, pid, seconds = 10 }) {
    const resolver = new Resolver(url);
    const waiting = new Resolver(url); // the ID of an upload that ends meanwhile
    const probes = new ProbeStream(url);
    const times = { before: [], meanwhile: [], afterwards: [] };
    let phase = 'before';
    let over = false;
    const kept = [1, 2, 3, 4].map((i) => uploadKept(url, resolver, `kept-${i}`, () => over,
        (took) => times[phase].push(took)));
    const long = [1, 2, 3].map((i) => resolver.run(new Upload(url,
        { id: `long-${i}`, bytes: 6000000, rate: 6000000 / (Number(seconds) + 3) })));
    const cut = [1, 2, 3].map((i) => waiting.run(new Upload(url,
        { id: `cut-${i}`, bytes: 6000000, rate: 500000, abortAt: 3000000 + i * 500000 })));

    await pause(2000);
    process.kill(Number(pid), 'SIGSTOP');
    phase = 'meanwhile';
    await pause(Number(seconds) * 1000);
    phase = 'afterwards';
    const wentOn = performance.now();
    process.kill(Number(pid), 'SIGCONT');
    await pause(1000);
    over = true;
    await Promise.all([...kept, ...long, ...cut]);
    await resolver.finish(RESOLVED_MS);
    await waiting.finish(RESOLVED_MS);
    await probes.stop();
    Object.entries(times).forEach(([name, list]) =>
        say(`next uploads of a kept connection, ${name}: ${list.length}, ${summary(list)}`));
    say(`probes: ${probes.statuses()}; all resolved ` +
        `${(performance.now() - wentOn).toFixed()} ms after the daemon went on`);
    if (Math.max(...times.meanwhile) > Number(seconds) * 1000 / 2) {
        throw new Error('an upload waited for the daemon');
    }
    const late = probes.answers.filter(({ beganAt }) => beganAt > wentOn + 2000);
    expect('failed probes afterwards', late.filter(({ status }) => status !== 200).length, 0);
}

// A hundred uploads: some end before the daemon is killed, some while there is
// none, some once it has been started again.
async function restart({ url, folder }) {
    const { reached, is } = stage(folder);
    const probes = new ProbeStream(url);
    const make = (name, count, hold) => Array.from({ length: count }, (_, i) =>
        new Upload(url, { id: `${name}-${i}`, bytes: 300000, hold }));
    const early = make('early', 30);
    const between = make('between', 20, () => !is('killed'));
    const late = make('late', 50, () => !is('restarted'));
    const all = [...early, ...between, ...late];
    const running = new Map(all.map((upload) => [upload, upload.run()]));
    const finished = (list) => Promise.all(list.map((upload) => running.get(upload)));

    await finished(early);
    await poll('the first halves', () => [...between, ...late].every(({ sent }) => sent === 150000));
    reached('running');
    await poll('the kill', () => is('killed'), WAIT_MS);
    await finished(between);
    reached('without');
    await poll('the new start', () => is('restarted'), WAIT_MS);
    const restartedAt = performance.now();
    await finished(late);
    expect('failed uploads', all.filter(({ status }) => status !== 200)
        .map(({ id, status, failure }) => `${id} ${status ?? failure}`).join(), '');
    const resolver = new Resolver(url, (upload, { state, status, received }) =>
        upload.id.startsWith('late')
            ? (state === 'done' && status === 200 && received === 300000 ? '' : `${upload.id}: ${state}`)
            : (state === 'starting' || state === 'done' ? '' : `${upload.id}: ${state}`));
    resolver.uploads = all;
    await resolver.finish(RESOLVED_MS);
    await probes.stop();
    const before = probes.answers.filter(({ beganAt }) => beganAt <= restartedAt);
    const after = probes.answers.filter(({ beganAt }) => beganAt > restartedAt);
    say(`100 uploads, none failed; probes until the daemon was there again: ` +
        `${probes.statuses(before)}; afterwards: ${probes.statuses(after)}`);
    expect('failed probes afterwards', after.filter(({ status }) => status !== 200).length, 0);
    expect('statuses without the daemon', before.every(({ status }) =>
        [200, 502, 503].includes(status)), true);
    expect('probes without the daemon', before.some(({ status }) => status !== 200), true);
}

// Uploads that have sent their first halves when the test does its harm, and
// go on, or go away, afterwards. cut=any: the harm may cut some of them off.
async function held({ url, folder, count = 20, cut = 'none' }) {
    const { reached, is } = stage(folder);
    const resolver = new Resolver(url);
    const hold = () => !is('go');
    const uploads = Array.from({ length: Number(count) }, (_, i) => new Upload(url, {
        id: `held-${i}`, bytes: 600000 + i, hold, query: i % 5 === 4 ? '&status=500' : '',
        abortAt: i % 5 === 3 ? 500000 : null,
    }));
    const running = uploads.map((upload) => resolver.run(upload));
    // Sent is what the kernel has taken; nginx may not have seen the request yet.
    const halves = async () => uploads.every(({ sent }) => sent >= 250000) &&
        await resolver.knows(uploads);

    await poll('the first halves', halves);
    reached('running');
    await poll('the harm', () => is('go'), 4 * WAIT_MS); // sanitizers are slow
    await Promise.all(running);
    const further = Array.from({ length: 5 }, (_, i) =>
        new Upload(url, { id: `further-${i}`, bytes: 300000 }));
    await Promise.all(further.map((upload) => resolver.run(upload)));
    const delays = await resolver.finish(RESOLVED_MS);
    const lost = uploads.filter(({ status, aborted }) => status === null && !aborted);
    say(`${uploads.length} uploads, ${lost.length} of them cut off by the fault; ` +
        `from the end to the truth: ${summary(delays)}`);
    if (cut === 'none') {
        expect('uploads cut off', lost.map(({ id, failure }) => `${id} ${failure}`).join(), '');
    } else if (lost.length === 0) {
        throw new Error('the fault has cut off nothing');
    }
    expect('later uploads', further.every(({ status }) => status === 200), true);
}

await main({ stop, restart, held });
