// A direct client of the daemon's FastCGI listeners, for 40-transports.bats:
//
//   transports.mjs COMMAND address=ADDRESS scgi=ADDRESS id=ID
//
// ID is a finished upload of 100000 bytes, but for `body` and `scgiBody`, which
// make one.
import { PARAMS, STDIN, FastcgiClient, begin, eventParams, pairs, probeParams, record, request }
    from './fastcgi.mjs';
import { Peer, expect, main, poll } from './peer.mjs';
import * as scgi from './scgi.mjs';

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
        {}, { padding: 1 }, { padding: 7 }, { padding: 255 }, { piece: 1 }, { piece: 100 },
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

// Padding behind the empty records that end the streams, on one connection.
async function padded({ address, id }) {
    const client = await FastcgiClient.open(address);

    for (const endPadding of [0, 1, 8, 255, 0]) {
        check(await client.ask(request(probeParams(id), { endPadding })), id);
        // In pieces, so that the padding comes by itself.
        await client.writeInPieces(request(probeParams(id), { endPadding }), 5);
        check(await client.answer(), id);
    }
}

// Around the sizes of the buffers below, up to the limit.
async function sizes({ address, id }) {
    const client = await FastcgiClient.open(address);
    const overhead = request({}).length; // of the records, but for those of 8 bytes

    for (const total of [8192, 16384, 20000, 32768, HEADER_MAX]) {
        for (const less of [overhead + 16, overhead + 8, overhead, 8, 1, 0]) {
            const params = paramsOfSize(id, total - less);

            expect('size', pairs(params).length, total - less);
            check(await client.ask(request(params, { piece: 32000 })), id);
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

// HEAD is answered with GET's headers, its length too, and no body.
async function head({ address, scgi: scgiAddress, id }) {
    const client = await FastcgiClient.open(address);
    const params = (method) => probeParams(id, { REQUEST_METHOD: method, DOCUMENT_URI: '/progress' });
    const get = await client.ask(request(params('GET')));
    const answer = await client.ask(request(params('HEAD')));

    expect('length', Number(get.headers['Content-Length']), get.body.length);
    expect('headers', JSON.stringify(answer.headers), JSON.stringify(get.headers));
    expect('body', answer.body, '');
    check(await client.ask(request(probeParams(id))), id);
    const other = await scgi.ask(scgiAddress, scgi.request(params('HEAD')));
    expect('SCGI status', other.status, 200);
    expect('SCGI body', other.body, '');
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
    expect('phase', answer.phase, 'receiving');
    expect('gauge', answer.gauge, 'body');
    expect('size', answer.size, size);
    return answer.received;
}

// Writes a mirrored body piece by piece; each is counted before the next one
// is sent. `pieces` are [bytes to write, body bytes that have come by then].
async function writeCounted(prober, peer, id, pieces, size) {
    const counts = [];

    await poll('the start', async () => (await prober.probe(id)).state === 'uploading');
    for (const [bytes, wanted] of pieces) {
        peer.write(bytes);
        counts.push(await counted(prober, id, wanted, size));
    }
    console.log(`counted ${counts}`);
}

async function expectProcessing(prober, id, bytes) {
    const last = await prober.probe(id);

    expect('phase', last.phase, 'processing');
    expect('received', last.received, bytes);
    expect('size', last.size, bytes);
}

// A body of 320000 bytes by FastCGI, in records with padding. With size=1 its
// size is told beforehand, as nginx does.
async function body({ address, id, size }) {
    const client = await FastcgiClient.open(address);
    const prober = await FastcgiClient.open(address);
    const [count, bytes] = [8, 320000];
    const params = eventParams('body', id, '00112233445566778899aabbccddeeff',
        size ? { UPLOAD_PROGRESS_CONTENT_LENGTH: String(bytes) } : {});
    const stdin = Buffer.concat(Array.from({ length: 32 },
        () => record(STDIN, Buffer.alloc(10000, 'b'), { padding: 3 })));
    const pieces = [];
    let written = 0;

    for (let i = 1; i < count; i++) {
        // They end in mid-record, 5000 bytes and the padding early.
        const end = stdin.length * i / count - 5003;

        pieces.push([stdin.subarray(written, end), bytes * i / count - 5000]);
        written = end;
    }
    client.write(Buffer.concat([begin(), record(PARAMS, pairs(params)), record(PARAMS)]));
    await writeCounted(prober, client, id, pieces, size ? bytes : null);
    client.write(stdin.subarray(written));
    expect('status', (await client.ask(record(STDIN))).status, 204);
    await expectProcessing(prober, id, bytes);
}

// The same by SCGI, which tells the body's length in any case.
async function scgiBody({ address, scgi: scgiAddress, id, size }) {
    const peer = await Peer.open(scgiAddress);
    const prober = await FastcgiClient.open(address);
    const bytes = 320000;
    const params = eventParams('body', id, '00112233445566778899aabbccddeeff',
        size ? { UPLOAD_PROGRESS_CONTENT_LENGTH: String(bytes) } : {});
    const pieces = [1, 2, 3, 4, 5, 6, 7].map((i) => [Buffer.alloc(40000, 'b'), i * 40000]);

    peer.write(scgi.request(params, { contentLength: bytes }));
    await writeCounted(prober, peer, id, pieces, size ? bytes : null);
    peer.write(Buffer.alloc(40000, 'b'));
    await peer.untilClosed();
    expect('status', scgi.parse(peer.received).status, 204);
    await expectProcessing(prober, id, bytes);
}

await main({ kept, split, shapes, padded, sizes, crumbs, unkept, head, body, scgiBody });
