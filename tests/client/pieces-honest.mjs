// What a server of progress would say that knows all that the oracle knows: with it
// the watch is tried, and the tests have something to watch where no daemon is asked.
import http from 'node:http';

const NOTHING = { state: 'starting', phase: 'starting', received: 0, size: null };

// low: it counts what was accepted; else whatever has been forwarded.
export function truth(upload, low) {
    const now = performance.now();

    if (!upload || (upload.pieces.length === 0 && upload.accepted.size === 0)) {
        return NOTHING;
    }
    const set = low ? upload.accepted : upload.present(now, 0);
    const done = !upload.parts && upload.total !== null && upload.had >= upload.total;
    const missing = upload.total === null ? []
        : set.missing(upload.base + upload.total).map(([begin, end]) => [begin - upload.base, end - upload.base])
            .map(([begin, end]) => [Math.max(0, begin), end]).filter(([, end]) => end > 0);

    return {
        state: done ? 'done' : 'uploading',
        phase: done ? 'done' : upload.running.size > 0 ? 'receiving' : 'waiting',
        received: low && !done ? set.size : upload.upper(now, 0),
        size: upload.total, percent: done ? 100 : null,
        pieces: {
            received: upload.acceptedAt(now).pieces,
            missing: done ? [] : missing,
            resumed_from: upload.resumedAt < now ? upload.resumable[0] : null,
        },
    };
}

// find(id): the oracle's upload of that ID. It is both kinds by turns of tenths of a
// second, each as far as nothing falls.
export async function serveTruth(find) {
    const told = new Map();
    const server = http.createServer((req, res) => {
        const id = new URL(req.url, 'http://honest').searchParams.get('X-Progress-ID');
        const answer = truth(find(id), false);
        const low = truth(find(id), true);
        const least = told.get(id) ?? 0;

        if (low.state === 'uploading' && low.received >= least && Math.floor(performance.now() / 100) % 2 === 0) {
            Object.assign(answer, low);
        }
        told.set(id, answer.received);
        res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
    });

    await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
    return server;
}
