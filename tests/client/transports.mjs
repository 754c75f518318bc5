// A direct client of the daemon's FastCGI listeners, for 40-transports.bats:
//
//   transports.mjs COMMAND address=ADDRESS id=ID
//
// ID is a finished upload of 100000 bytes, but for `body`, which makes one.
import { PARAMS, STDIN, FastcgiClient, begin, eventParams, pairs, probeParams, record, request }
    from './fastcgi.mjs';
import { expect, main, poll } from './peer.mjs';

const HEADER_MAX = 65536; // bytes of parameters, REQUEST_HEADER_MAX

// A complete and right answer to a probe of a finished upload.
function check(response, id, requestId = 1) {
    expect('status', response.status, 200);
    expect('request id', response.id, requestId);
    expect('application status', response.appStatus, 0);
    expect('protocol status', response.protocolStatus, 0);
    expect('Content-Length', Number(response.headers['Content-Length']), response.body.length);
    const answer = JSON.parse(response.body);
    expect('id', answer.id, id);
    expect('state', answer.state, 'done');
    expect('received', answer.received, 100000);
}

// Parameters of exactly that many bytes, most of them in one that is not used.
function paramsOfSize(id, bytes) {
    const filled = (size) => probeParams(id, { HTTP_COOKIE: 'c'.repeat(size) });
    // With a length of four bytes, whatever is cut off.
    const fill = bytes - pairs(filled(1000)).length + 1000;

    return filled(fill);
}

async function kept({ address, id, count = 1000 }) {
    const client = await FastcgiClient.open(address);

    for (let i = 1; i <= Number(count); i++) {
        const requestId = i * 131 % 65536;
        check(await client.ask(request(probeParams(id), { id: requestId })), id, requestId);
    }
    expect('closed', client.isClosed, false);
    console.log(`${count} requests on one connection`);
}

// Every write ends within a header, a length, a name or a value.
async function split({ address, id }) {
    const client = await FastcgiClient.open(address);
    const long = request(probeParams(id, { HTTP_COOKIE: 'c'.repeat(300) }), { piece: 50 });

    for (const [size, bytes] of [[1, request(probeParams(id))], [3, long], [7, long]]) {
        await client.writeInPieces(bytes, size);
        check(await client.answer(), id);
    }
    // Whole again on the same connection.
    check(await client.ask(request(probeParams(id))), id);
}

// Forms that nginx does not use and the specification allows.
async function shapes({ address, id }) {
    const client = await FastcgiClient.open(address);
    const params = probeParams(id, { EMPTY: '', HTTP_COOKIE: 'c'.repeat(200) });
    const forms = [
        { padding: 1 }, { padding: 7 }, { padding: 255 }, { piece: 1 }, { piece: 100 },
        { piece: 5, padding: 3 }, { piece: 1, padding: 255 }, { long: true },
        { long: true, piece: 2 }, { body: 'a body that nobody wants' },
        { body: 'x'.repeat(30000), piece: 1000 }, { body: 'x'.repeat(300000) },
        { piece: 100, body: 'y'.repeat(1000), padding: 9 },
    ];

    for (const form of forms) {
        check(await client.ask(request(params, form)), id);
    }
    console.log(`${forms.length} forms on one connection`);
}

// Around the sizes of the buffers below, up to the limit.
async function sizes({ address, id }) {
    const client = await FastcgiClient.open(address);
    const overhead = request({}).length; // of the records; 8 for one more

    for (const total of [8192, 16384, 20000, 32768, HEADER_MAX]) {
        for (const bytes of [total - overhead - 8, total - overhead, total - 8, total - 1, total]) {
            const params = paramsOfSize(id, bytes);

            expect('size', pairs(params).length, bytes);
            check(await client.ask(request(params, { piece: 32000 })), id);
            check(await client.ask(request(params, { piece: 32000, keep: true })), id);
        }
    }
    client.write(request(paramsOfSize(id, HEADER_MAX + 1), { piece: 32000 }));
    await client.untilClosed();
    expect('bytes of an answer beyond the limit', client.received.length, 0);
}

// Many parameters in the smallest records: the records outweigh the content.
async function crumbs({ address, id }) {
    const client = await FastcgiClient.open(address);
    const params = paramsOfSize(id, 20000);

    for (const form of [{ piece: 1 }, { piece: 1, padding: 7 }]) {
        check(await client.ask(request(params, form)), id);
    }
}

// Without FCGI_KEEP_CONN the answer is complete, then the daemon closes.
async function unkept({ address, id }) {
    const large = paramsOfSize(id, 20000);
    const forms = [[request(probeParams(id), { keep: false }), Infinity],
        [request(probeParams(id), { keep: false }), 5], [request(large, { keep: false }), Infinity]];

    for (const [bytes, size] of forms) {
        const client = await FastcgiClient.open(address);

        await client.writeInPieces(bytes, Math.min(size, bytes.length));
        check(await client.answer(), id);
        await client.untilClosed();
        expect('bytes behind the answer', client.received.length, 0);
    }
}

// Waits until exactly so many bytes of the body are counted.
async function counted(prober, id, wanted, size) {
    let answer;

    await poll(`${wanted} bytes`, async () => {
        answer = await prober.probe(id);
        return answer.received >= wanted;
    });
    expect('received', answer.received, wanted);
    expect('state', answer.state, 'uploading');
    expect('gauge', answer.gauge, 'body');
    expect('size', answer.size, size);
    return answer.received;
}

// A mirrored body in several records, written piece by piece: each is counted
// before the next one is sent.
async function body({ address, id }) {
    const client = await FastcgiClient.open(address);
    const prober = await FastcgiClient.open(address);
    const pieces = 8;
    const bytes = pieces * 40000;
    const params = eventParams('body', id, '00112233445566778899aabbccddeeff',
        { UPLOAD_PROGRESS_CONTENT_LENGTH: String(bytes) });
    const stdin = Buffer.concat(Array.from({ length: bytes / 10000 },
        () => record(STDIN, Buffer.alloc(10000, 'b'), { padding: 3 })));
    const counts = [];
    let written = 0;

    client.write(Buffer.concat([begin(), record(PARAMS, pairs(params)), record(PARAMS)]));
    await poll('the start', async () => (await prober.probe(id)).state === 'uploading');
    for (let i = 1; i <= pieces; i++) {
        // All but the last end in mid-record, 5000 bytes and the padding early.
        const early = i < pieces ? 5000 : 0;
        const end = stdin.length * i / pieces - early - (early && 3);

        client.write(stdin.subarray(written, end));
        written = end;
        counts.push(await counted(prober, id, 40000 * i - early, bytes));
    }
    const response = await client.ask(record(STDIN));
    expect('status', response.status, 204);
    const last = await prober.probe(id);
    expect('phase', last.phase, 'processing');
    expect('received', last.received, bytes);
    console.log(`counted ${counts}`);
}

await main({ kept, split, shapes, sizes, crumbs, unkept, body });
