// Probes as fast as they are answered, by several clients at once, until
// SIGTERM: steady.mjs URL ID...; then prints "N probes, N failed".
import http from 'node:http';

const CLIENTS = 2;
const [url, ...ids] = process.argv.slice(2);
let probes = 0;
let failed = 0;
let stopping = false;

function probe(agent, id) {
    return new Promise((resolve) => {
        const request = http.get(`${url}/progress?X-Progress-ID=${id}`, { agent }, (response) => {
            response.resume();
            response.on('end', () => resolve(response.statusCode));
        });

        request.on('error', (error) => resolve(error.code));
    });
}

async function run() {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

    for (let i = 0; !stopping; i++) {
        const result = await probe(agent, ids[i % ids.length]);

        probes++;
        if (result !== 200) {
            failed++;
            console.log(`probe ${probes}: ${result}`);
        }
        if (probes === 1) {
            console.log('the first one is answered');
        }
    }
    agent.destroy();
}

process.on('SIGTERM', () => { stopping = true; });
await Promise.all(Array.from({ length: CLIENTS }, run));
console.log(`${probes} probes, ${failed} failed`);
