// Uploads one after the other, each on a connection of its own, whose header
// and first bytes come at once, at any moment of a millisecond; each is cut as
// soon as its bytes are known: at-once.mjs URL COUNT GAUGE; then prints
// "N uploads, N not counted by GAUGE".
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { Prober } from './probe.mjs';

const SENT = Buffer.alloc(40000);
const WAIT_MS = 1000;
const [url, count, gauge] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const prober = new Prober(url);
let missed = 0;

async function counted(id) {
    const end = Date.now() + WAIT_MS;

    while (Date.now() < end) {
        const answer = await prober.probe(id);

        if (answer.gauge === gauge && answer.received > 0) {
            return true;
        }
        await sleep(5);
    }
    return false;
}

function open() {
    return new Promise((resolve, reject) => {
        const socket = net.connect(port, hostname, () => resolve(socket));

        socket.on('error', reject);
    });
}

for (let i = 0; i < count; i++) {
    const id = `upload${i}`;
    const socket = await open();

    await sleep(Math.random() * 3);
    socket.write(Buffer.concat([
        Buffer.from(`POST /upload?X-Progress-ID=${id} HTTP/1.1\r\nHost: site\r\n` +
            `Content-Length: ${2 * SENT.length}\r\n\r\n`), SENT]));
    if (!await counted(id)) {
        missed++;
        console.log(`${id} is not counted`);
    }
    socket.destroy();
}
prober.close();
console.log(`${count} uploads, ${missed} not counted by ${gauge}`);
