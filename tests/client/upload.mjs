// Uploads at a steady rate, probes every 50 ms, checks every answer; exits 1
// and tells why if one was wrong. Options, all as --name=value:
//
//   url, probe-url   the site, and where to probe
//   ids              progress IDs, separated by commas: one upload each, at once
//   id-in            query (default) or header
//   bytes, rate      size of each body; bytes a second (one, or one for each)
//   method           POST (default), PUT, PATCH
//   http             1 (default) or 2: all uploads on one connection
//   chunked          1: without Content-Length
//   earlier          requests before the upload on the same connection
//   abort-at         cut the request after so many bytes (one, or one for each)
//   stagger          milliseconds between the starts of two uploads
//   lag              "unchecked": do not check how far received trails;
//                    "until-whole": not any more once all was sent
//   lag-bytes, lag-share  how far it may trail, see watch.mjs
//   interval         milliseconds between two probes (50)
//   linger           milliseconds that the connection stays after the response
//   query            further query arguments
//   expect-state, expect-status, expect-gauges, expect-response
import { parseArgs } from 'node:util';

import { Body } from './body.mjs';
import { Prober } from './probe.mjs';
import { connectHttp2, openHttp1, openHttp2 } from './request.mjs';
import { Watch } from './watch.mjs';

// Under valgrind, say, the daemon trails, and a probe may miss what is there for
// a moment only; what it does tell is checked all the same.
const SLOW = Boolean(process.env.DAEMON_WRAPPER);

const names = ['url', 'probe-url', 'ids', 'id-in', 'bytes', 'rate', 'method', 'http', 'chunked',
    'earlier', 'abort-at', 'lag', 'lag-bytes', 'lag-share', 'interval', 'linger', 'stagger', 'query',
    'expect-state',
    'expect-status', 'expect-gauges', 'expect-response'];
const { values } = parseArgs({
    options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
});

// The value of an option that may be a list, one for each upload.
function each(name, index) {
    const list = values[name]?.split(',') ?? [];

    return list.length > 1 ? list[index] : list[0];
}

function numbers(index = 0) {
    return {
        bytes: Number(values.bytes ?? 4 << 20),
        rate: Number(each('rate', index) ?? 2 << 20),
        stopAt: each('abort-at', index) ? Number(each('abort-at', index)) : undefined,
    };
}

function requestOf(id) {
    const inQuery = (values['id-in'] ?? 'query') === 'query';
    const query = [inQuery ? `X-Progress-ID=${encodeURIComponent(id)}` : '', values.query ?? '']
        .filter(Boolean).join('&');
    const headers = { 'Content-Type': 'application/octet-stream' };

    if (!inQuery) {
        headers['x-progress-id'] = id;
    }
    if (!values.chunked) {
        headers['content-length'] = numbers().bytes;
    } else if (values.http !== '2') {
        headers['transfer-encoding'] = 'chunked';
    }
    return {
        url: values.url, method: values.method ?? 'POST', headers,
        path: `/upload${query ? `?${query}` : ''}`,
        earlierRequests: Number(values.earlier ?? 0),
    };
}

function addressOf(socket) {
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    return { localAddress, localPort, remoteAddress, remotePort };
}

function limits() {
    return {
        lag: values.lag !== 'unchecked' && !SLOW,
        whole: values.lag !== 'until-whole',
        ...(values.interval && { interval: Number(values.interval) }),
        ...(values['lag-bytes'] && { bytes: Number(values['lag-bytes']) }),
        ...(values['lag-share'] && { share: Number(values['lag-share']) }),
    };
}

// The last answer once the upload is over, or after 15 s.
async function final(prober, id) {
    const end = Date.now() + 15000;
    let answer;

    do {
        answer = await prober.probe(id);
        if (answer.state === 'done' || answer.state === 'error') {
            break;
        }
        await new Promise((next) => setTimeout(next, 50));
    } while (Date.now() < end);
    return answer;
}

async function upload(prober, id, open, index) {
    await new Promise((next) => setTimeout(next, index * Number(values.stagger ?? 0)));
    const body = new Body(numbers(index));
    const request = await open(requestOf(id));
    const watch = new Watch(prober, id, body, addressOf(request.socket), limits());
    const watching = watch.run();
    let status = 0;

    await body.writeTo(request.stream);
    if (body.stopAt < body.bytes) {
        request.stream.destroy();
    } else {
        request.stream.end();
        status = await request.response;
    }
    watch.stop();
    await watching;
    await new Promise((next) => setTimeout(next, Number(values.linger ?? 0)));
    request.close(); // a lost end shows when the connection is gone
    const last = await final(prober, id);
    return { id, status, last, watch };
}

function judge({ id, status, last, watch }, index) {
    const faults = [...watch.faults];
    const expect = (what, got, wanted) => {
        if (wanted !== undefined && String(got) !== wanted) {
            faults.push(`${what} is ${got}, not ${wanted}`);
        }
    };

    expect('state', last.state, each('expect-state', index) ?? 'done');
    expect('status', last.status, values['expect-status']);
    expect('response', status, values['expect-response']);
    expect('gauges', watch.gauges().filter((g) => g && g !== 'end').join(','),
        SLOW ? undefined : values['expect-gauges']);
    if (last.state === 'done' && last.received !== watch.body.bytes) {
        faults.push(`done with ${last.received} of ${watch.body.bytes}`);
    }
    // A busy machine leaves time for a few probes only.
    const countsMin = Math.min(5, Math.max(2, watch.samples.length / 2));
    if (watch.limits.lag && watch.moving < countsMin) {
        faults.push(`only ${watch.moving} different counts seen`);
    }
    console.log(`${id}: ${watch.samples.length} probes, ${watch.moving} counts, ` +
        `gauges ${watch.gauges()}, end ${JSON.stringify(last)}`);
    faults.slice(0, 10).forEach((fault) => console.log(`${id}: FAULT: ${fault}`));
    return faults.length;
}

const prober = new Prober(values['probe-url'] ?? values.url);
const session = values.http === '2' ? await connectHttp2(values.url) : null;
const open = session ? (request) => openHttp2(session, request) : openHttp1;
const results = await Promise.all(values.ids.split(',').map((id, index) =>
    upload(prober, id, open, index)));

session?.close();
prober.close();
process.exit(results.map(judge).some((faults) => faults > 0) ? 1 : 0);
