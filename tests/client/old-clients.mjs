// Old clients of the module in headless Chromium, and what hostile IDs do to a
// browser; exits 1 and tells why if anything was wrong. Commands:
//
//   upload    sends a file by one of the pages in pages/, as a person would,
//             and watches its bar; options:
//     page, file       the page's URL, the file to send
//     name             of the screenshots, NAME-uploading.png and NAME-end.png
//     expect           what the page says in the end: "done", "error 413"
//     moves            how often the bar has to move before that (0)
//     rate             bytes a second of the line: the bar must not be ahead
//     asks             the origin that the probes go to (the page's)
//     console          a pattern of the errors that the console may show
//   hostile   opens answers to hostile IDs and callbacks as documents and as
//             scripts: nothing of them may run; option: site
//   refused   the same with IDs and callbacks that are refused; option: site
//
// All take driver (chromedriver's URL) and folder (profile and screenshots).
import fs from 'node:fs';
import http from 'node:http';
import { parseArgs } from 'node:util';

import { Browser } from './webdriver.mjs';

const DEADLINE_MS = 30000;
const FAULTS_MAX = 20;
const names = ['driver', 'folder', 'page', 'file', 'name', 'expect', 'moves', 'rate', 'asks',
    'console', 'site'];
const { values, positionals: [command] } = parseArgs({
    allowPositionals: true,
    options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
});

const faults = new Set();

// Says each fault once, as what is polled may have it many times, and no more
// than FAULTS_MAX of them.
function fail(why) {
    if (!faults.has(why) && faults.size < FAULTS_MAX) {
        console.log(`FAULT: ${why}`);
    }
    faults.add(why);
    process.exitCode = 1;
}

function expectEqual(what, is, expected) {
    if (is !== expected) {
        fail(`${what}: ${is}, not ${expected}`);
    }
}

// The browser's console may show errors of the pattern, no others.
async function judgeConsole(browser, pattern) {
    for (const { level, message } of await browser.messages()) {
        if (level === 'SEVERE' && !(pattern && new RegExp(pattern).test(message))) {
            fail(`the console says: ${message}`);
        }
    }
}

async function screenshot(browser, name) {
    fs.writeFileSync(`${values.folder}/${name}.png`, await browser.screenshot());
}

// ---- upload

// Runs in the page: what a person sees of it.
function readPage() {
    const bar = document.getElementById('bar');

    return {
        percent: bar.offsetWidth / bar.parentElement.clientWidth * 100,
        state: document.getElementById('state').textContent,
        bytes: document.getElementById('bytes').textContent,
    };
}

// Runs in the page: the origins of its probes, as often as it has asked.
function readProbes() {
    return performance.getEntriesByType('resource').map((entry) => new URL(entry.name))
        .filter((url) => url.pathname.startsWith('/progress')).map((url) => url.origin);
}

// Polls until the upload is over; keeps every reading and when it was taken.
async function watch(browser) {
    const start = Date.now();
    const readings = [];
    let shot = false;

    await browser.call('POST', `/element/${await browser.element('#send')}/click`, {});
    for (;;) {
        const reading = await browser.run(`return (${readPage})()`);

        readings.push({ ...reading, ms: Date.now() - start });
        if (/^(done|error)/.test(reading.state)) {
            break;
        }
        if (!shot && reading.percent > 30) {
            await screenshot(browser, `${values.name}-uploading`);
            shot = true;
        }
        if (Date.now() - start > DEADLINE_MS) {
            fail(`not over in time: ${JSON.stringify(reading)}`);
            break;
        }
        await new Promise((next) => setTimeout(next, 50));
    }
    await screenshot(browser, `${values.name}-end`);
    return readings;
}

function judgeBar(readings) {
    const percents = readings.map(({ percent }) => percent);
    const moves = new Set(percents.filter((p) => p > 0 && p < 100)).size;

    if (moves < Number(values.moves ?? 0)) {
        fail(`the bar moved only ${moves} times`);
    }
    if (percents.some((p, i) => i > 0 && p < percents[i - 1])) {
        fail('the bar went back');
    }
    if (values.expect === 'done') {
        expectEqual('the bar in the end', percents.at(-1), 100);
    }
}

function judgeBytes(readings) {
    const fileSize = fs.statSync(values.file).size;

    for (const { bytes, ms } of readings.filter((reading) => reading.bytes !== '')) {
        const [received, size] = bytes.split(' of ').map(Number);

        // A form's body is the file and a few hundred bytes around it.
        if (!(size > fileSize && size < fileSize + 1000 && received <= size)) {
            fail(`a file of ${fileSize} bytes is shown as ${bytes}`);
        }
        // nginx lets through what is due, and a second's worth more.
        if (values.rate && received > Number(values.rate) * (ms / 1000 + 1)) {
            fail(`${bytes} after ${ms} ms is more than the line carries`);
        }
    }
}

function judgeStates(readings) {
    const states = readings.map(({ state }) => state).filter((s, i, all) => s !== all[i - 1]);
    const ranks = states.map((s) => ['', 'starting', 'uploading', values.expect].indexOf(s));

    if (ranks.some((rank, i) => rank < 0 || rank < ranks[i - 1])) {
        fail(`the page went through: ${states.join(', ')}`);
    }
    expectEqual('the page in the end', states.at(-1), values.expect);
}

async function upload(browser) {
    await browser.go(values.page);
    await browser.type('#file', values.file);
    const readings = await watch(browser);
    const probes = await browser.run(`return (${readProbes})()`);

    console.log(readings.map(({ percent, ms }) => `${ms}:${percent.toFixed(1)}`).join(' '));
    console.log(`${probes.length} probes, ${JSON.stringify(readings.at(-1))}`);
    judgeBar(readings);
    judgeBytes(readings);
    judgeStates(readings);
    if (probes.length <= Number(values.moves ?? 0)) {
        fail(`it asked ${probes.length} times only`);
    }
    for (const origin of new Set(probes)) {
        expectEqual('the probes went to', origin, values.asks ?? new URL(values.page).origin);
    }
    await judgeConsole(browser, values.console);
}

// ---- hostile, refused

const OUTPUTS = {
    '/progress': 'application/json',
    '/progress/jsonp': 'application/javascript',
    '/progress/java': 'text/javascript',
    '/progress/xml': 'text/xml',
    '/progress/detail': 'application/json',
};

// Each would run "ran=1" where an answer held it as it is: in a text, a quoted
// attribute, a string of either kind, a comment, an element of XML.
const HOSTILE = [
    '"><script>ran=1</script>',
    '\'><script>ran=1</script>',
    '"});ran=1;//',
    '\'});ran=1;//',
    '\\"});ran=1;//',
    '*/ran=1;/*',
    '"><img src=x onerror=ran=1>',
    '</state></upload><script xmlns="http://www.w3.org/1999/xhtml">ran=1</script>',
    '$uploadprogress_callback;ran=1;',
];
const HOSTILE_CALLBACKS = ['ran=1;', 'ran=1//', 'eval("ran=1")', '<script>ran=1</script>',
    '"><script>ran=1</script>', '\';ran=1;\'', '`${ran=1}`', '*/ran=1;/*', 'f,ran=1,f',
    'f\nran=1\nf', 'f\u2028ran=1\u2028f', `${'f'.repeat(128)};ran=1;`];
const REFUSED_IDS = ['<script>ran=1</script>\n', '\r\n\r\n<script>ran=1</script>',
    '"><script>ran=1</script>\u00e9', `<script>ran=1</script>${'x'.repeat(255)}`];

// An answer to a request line that holds quotes and brackets as they are, which
// neither fetch nor a browser would send.
function get(url, query) {
    const { hostname, port, pathname } = new URL(url);

    return new Promise((resolve, reject) => {
        http.get({ hostname, port, path: `${pathname}?${query}` }, (response) => {
            let body = '';

            response.setEncoding('utf8').on('data', (text) => { body += text; });
            response.on('end', () => resolve({ status: response.statusCode,
                headers: response.headers, body }));
        }).on('error', reject);
    });
}

// What a request line has to escape, and no more.
function escapeLittle(text) {
    return text.replace(/[^!-~]|[%&#]/gu, encodeURIComponent);
}

// The answer itself; says it all before any browser sees it.
async function judgeAnswer({ path, query, id, status }) {
    const what = `${path}?${query}`;
    const { status: answered, headers, body } = await get(values.site + path, query);
    let text = body;

    expectEqual(`the status of ${what}`, answered, status);
    expectEqual(`nosniff of ${what}`, headers['x-content-type-options'], 'nosniff');
    if (status === 200) {
        expectEqual(`the type of ${what}`, headers['content-type'], OUTPUTS[path]);
    }
    if (status === 200 && path === '/progress/detail') {
        // The one output with an ID: as a JSON string, and nowhere else.
        const { id: detailed, ...rest } = JSON.parse(body);

        expectEqual('the detailed ID', detailed, id);
        text = JSON.stringify(rest);
    }
    if (/ran|script|[<>]/.test(text.replaceAll(/<\/?(upload|state|size|uploaded|code)>/g, ''))) {
        fail(`${what} is answered with ${text}`);
    }
}

async function openDocument(browser, url) {
    await browser.go(url);
    return browser.run(`return { ran: 'ran' in window, type: document.contentType,
        elements: document.querySelectorAll('script, img, state state').length }`);
}

// Opens a page of the site and in it all these scripts; says of each whether it
// was loaded as one, and after which of them something had run.
async function openScripts(browser, urls) {
    await browser.go(`${values.site}/empty`);
    return browser.run(`
        const load = (url) => new Promise((resolve) => {
            const script = document.createElement('script');

            window.calls ??= 0;
            window.f = () => { window.calls++; };
            script.onload = script.onerror = (event) =>
                resolve({ loaded: event.type === 'load', ran: 'ran' in window });
            script.src = url;
            document.head.append(script);
        });
        return Promise.all(arguments[0].map(load))
            .then((results) => ({ results, calls: window.calls }));`, urls);
}

// Would this harness see it if something ran? The site has two for that.
async function judgeHarness(browser) {
    const { ran } = await openDocument(browser, `${values.site}/runs/document`);
    const { results } = await openScripts(browser, [`${values.site}/runs/script`]);

    expectEqual('a hostile document that runs', ran, true);
    expectEqual('a hostile script that runs', results[0].ran, true);
}

// Judges the answers to requests, { path, query, status, and the ID if valid },
// by themselves, as documents and as scripts. Returns how often f was called.
async function judgeAll(browser, requests) {
    await judgeHarness(browser);
    for (const request of requests) {
        const url = `${values.site}${request.path}?${request.query}`;

        await judgeAnswer(request);
        const seen = await openDocument(browser, url);

        if (seen.ran || seen.elements !== 0) {
            fail(`the document ${url} came alive: ${JSON.stringify(seen)}`);
        }
        expectEqual(`the document ${url}`, seen.type,
            request.status === 200 ? OUTPUTS[request.path] : 'text/plain');
    }
    const { results, calls } = await openScripts(browser,
        requests.map(({ path, query }) => `${values.site}${path}?${query}`));

    results.forEach(({ loaded, ran }, i) => {
        const { path, query, status } = requests[i];

        expectEqual(`something ran of the script ${path}?${query}`, ran, false);
        expectEqual(`${path}?${query} was loaded as a script`, loaded,
            status === 200 && OUTPUTS[path].includes('javascript'));
    });
    console.log(`${requests.length} answers, ${calls} callbacks`);
    return calls;
}

async function send(id, status) {
    const response = await fetch(`${values.site}/upload?status=${status}&X-Progress-ID=${
        encodeURIComponent(id)}`, { method: 'POST', body: 'x'.repeat(10000) });

    await response.text();
    for (const end = Date.now() + 10000; ;) {
        const { body } = await get(`${values.site}/progress`, `X-Progress-ID=${encodeURIComponent(id)}`);

        if (/"(done|error)"/.test(body)) {
            return;
        }
        if (Date.now() > end) {
            throw new Error(`the upload ${id} has not ended: ${body}`);
        }
    }
}

// IDs that are valid, of uploads that are unknown, done and failed.
async function hostile(browser) {
    const requests = [];

    for (const id of HOSTILE) {
        await send(id, 200);
        await send(`5${id}`, 500);
        for (const which of [id, `5${id}`, `0${id}`]) {
            for (const path of Object.keys(OUTPUTS)) {
                requests.push({ path, id: which, status: 200,
                    query: `X-Progress-ID=${escapeLittle(which)}&callback=f` });
            }
        }
    }
    const calls = await judgeAll(browser, requests);

    expectEqual('calls of the valid callback', calls, HOSTILE.length * 3);
    await browser.go(`${values.site}/progress/detail?X-Progress-ID=${encodeURIComponent(HOSTILE[0])}`);
    await screenshot(browser, 'old-hostile-detail');
    await judgeConsole(browser, '^\\S+/empty \\S+ Refused to execute script .* MIME type');
}

async function refused(browser) {
    const requests = Object.keys(OUTPUTS).flatMap((path) => [
        ...REFUSED_IDS.map((id) => ({ path, status: 400,
            query: `X-Progress-ID=${escapeLittle(id)}` })),
        ...HOSTILE_CALLBACKS.map((callback) => ({ path, status: 400,
            query: `X-Progress-ID=1&callback=${escapeLittle(callback)}` })),
        { path, status: 404, query: 'other="><script>ran=1</script>' },
    ]);

    expectEqual('calls', await judgeAll(browser, requests), 0);
    await judgeConsole(browser, 'the server responded with a status of 40[04]|'
        + '^\\S+/empty \\S+ Refused to execute script .* MIME type');
}

const browser = await Browser.open(values.driver, `${values.folder}/profile`);
try {
    await { upload, hostile, refused }[command](browser);
} finally {
    await browser.close();
}
if (faults.size > FAULTS_MAX) {
    console.log(`FAULT: ${faults.size - FAULTS_MAX} more`);
}
