// Hostile IDs, arguments and callbacks in headless Chromium: each answer as a
// document, in a frame and as a script. Nothing of them may run: no variable, no
// title, no dialog, no element, and no request to a canary of our own. Pages of
// the site that do run prove that each of these would be seen.
//
//   injection-browser.mjs outputs url=URL driver=URL folder=FOLDER canary=PORT
import http from 'node:http';

import { expect, main, poll } from './peer.mjs';
import { Browser } from './webdriver.mjs';

const OUTPUTS = ['', 'jsonp', 'java', 'xml', 'lighttpd', 'apache', 'detail', 't-json', 't-js', 't-xml',
    't-html', 't-plain'];
const SCRIPTS = ['jsonp', 'java', 'apache', 't-js']; // what a page may load

// What would run, if it stood where it is no text any more; {} is the code.
const WRAPPINGS = ['<script>{}</script>', '"><script>{}</script>', '\'><script>{}</script>',
    '</v></r><script xmlns="http://www.w3.org/1999/xhtml">{}</script>', ']]><script>{}</script>',
    '--><script>{}</script>', '</script><script>{}</script>', '<svg onload="{}">', '"onmouseover="{}" x="',
    '"});{}//', '\'});{}//', '`});{}//', '\\"});{}//', '\\\'});{}//', '${{}}', '*/{}/*', '\u2028{}\u2028',
    '\r\n\r\n<script>{}</script>', '\n{}\n', '+ADw-script+AD4-{}+ADw-/script+AD4-'];

class Canary {
    constructor(port) {
        this.port = Number(port);
        this.seen = [];
        this.server = http.createServer((request, response) => {
            this.seen.push(request.url);
            response.setHeader('Access-Control-Allow-Origin', '*').end();
        });
    }

    start() {
        return new Promise((resolve) => { this.server.listen(this.port, '127.0.0.1', resolve); });
    }

    // Short enough for an ID, and without quotes or blanks.
    get code() {
        return `top.ran=ran=1;document.title=/ran/;new(Image)().src=/\\/\\/127.0.0.1:${this.port}\\/x/.source.`
            + 'replace(/\\\\/g,[])';
    }

    get image() {
        return `<img src=//127.0.0.1:${this.port}/img onerror=ran=1>`;
    }
}

function hostile(canary) {
    return [...WRAPPINGS.map((w) => w.replace('{}', canary.code)), canary.image, `"${canary.image}`,
        `'>${canary.image}`, '<script>alert(1)</script>', '"});alert(1);//', '<base href=//127.0.0.1:1/>',
        `<meta http-equiv=refresh content=0;url=//127.0.0.1:${canary.port}/meta>`];
}

const urlOf = (site, output, query) => `${site}/progress${output && `/${output}`}?${query}`;

// With the ID where it is a valid one, and as an argument always.
function queries(canary) {
    return hostile(canary).flatMap((text) => {
        const e = encodeURIComponent(text);
        const id = /^[ -~]{1,255}$/.test(text) ? e : 'plain';

        return [`X-Progress-ID=${id}&v=${e}&callback=f`, `X-Progress-ID=plain&callback=${e}`,
            `v=${e}&${e}=1`];
    });
}

async function dialog(browser) {
    try {
        const shown = await browser.call('GET', '/alert/text');

        await browser.call('POST', '/alert/dismiss', {});
        return shown;
    } catch (error) {
        if (!/no such alert/.test(error.message)) {
            throw error;
        }
        return null;
    }
}

// Runs in the page: what a script of the answer's would have changed.
function traces() {
    return [window, ...Array.from(window.frames)].map((w) => ({
        ran: 'ran' in w, title: w.document.title,
        elements: w.document.querySelectorAll('script:not([data-ours]), img, svg, meta[http-equiv], base').length,
    }));
}

async function asDocument(browser, url) {
    await browser.go(url);
    const shown = await dialog(browser);

    return { dialog: shown, traces: await browser.run(`return (${traces})()`) };
}

// Runs in a page of the site: opens all of them as frames, or scripts.
function openAll(kind, urls) {
    const load = (url) => new Promise((resolve) => {
        const element = document.createElement(kind);

        window.calls ??= 0;
        window.f = window.result = () => { window.calls++; };
        element.onload = () => resolve(true);
        element.onerror = () => resolve(false);
        element.dataset.ours = 1;
        element.src = url;
        document.body.append(element);
    });

    return Promise.all(urls.map(load)).then((loaded) => ({ loaded, calls: window.calls }));
}

async function asParts(browser, site, kind, urls) {
    await browser.go(`${site}/empty`);
    const result = await browser.run(`return (${openAll})(...arguments)`, kind, urls);
    const shown = await dialog(browser);

    return { ...result, dialog: shown, traces: await browser.run(`return (${traces})()`) };
}

function judge(what, { dialog: shown, traces: seen }) {
    expect(`the dialog of ${what}`, shown, null);
    for (const { ran, title, elements } of seen) {
        expect(`${what}: ran, title, elements`, `${ran} ${title} ${elements}`, 'false  0');
    }
}

// Would it be seen? By the document, the frame, the script, each on its own.
async function judgeHarness(browser, site, canary) {
    for (const [kind, path] of [['document', '/runs/document'], ['iframe', '/runs/document'],
        ['script', '/runs/script']]) {
        canary.seen.length = 0;
        const seen = kind === 'document' ? await asDocument(browser, site + path)
            : await asParts(browser, site, kind, [site + path]);

        expect(`${kind}: a variable is seen`, seen.traces.some(({ ran }) => ran), true);
        expect(`${kind}: a title is seen`, seen.traces.some(({ title }) => title === '/ran/'), true);
        await poll(`${kind}: the canary`, () => canary.seen.includes('/x'));
    }
    const { traces: [{ elements }] } = await asDocument(browser, `${site}/runs/elements`);
    expect('elements are seen', elements, 3);
    await poll('the canary of an image', () => canary.seen.includes('/img'));
    expect('a dialog is seen', (await asDocument(browser, `${site}/runs/dialog`)).dialog, '1');
}

async function outputs({ url: site, driver, folder, canary: port }) {
    const canary = new Canary(port);
    const browser = await Browser.open(driver, `${folder}/profile`,
        { unhandledPromptBehavior: 'ignore' });
    const all = queries(canary);

    await canary.start();
    try {
        await judgeHarness(browser, site, canary);
        canary.seen.length = 0;
        for (const output of OUTPUTS) {
            const urls = all.map((query) => urlOf(site, output, query));

            // A refusal is the same text everywhere.
            for (const url of urls.filter((_, i) => i % 3 === 0 || /^(jsonp)?$/.test(output))) {
                judge(url, await asDocument(browser, url));
            }
            judge(`frames of ${output}`, await asParts(browser, site, 'iframe', urls));
            const { loaded, calls, ...seen } = await asParts(browser, site, 'script', urls);
            // Of three queries each, the two that are refused are no script;
            // where nothing takes a callback it is not looked at, but in vain.
            const wanted = SCRIPTS.includes(output) ? urls.length / 3 : 0;

            judge(`scripts of ${output}`, seen);
            expect(`scripts of ${output}`, loaded.filter(Boolean).length, wanted);
            expect(`calls by ${output}`, calls, /jsonp|t-js$/.test(output) ? wanted : 0);
        }
        // Whatever is late has been sent before this.
        await asDocument(browser, `${site}/runs/elements`);
        await poll('the canary', () => canary.seen.includes('/img'));
        expect('requests to the canary', canary.seen.join(), '/img');
    } finally {
        await browser.close();
        canary.server.close();
    }
    console.log(`${OUTPUTS.length * all.length} answers, in three ways each`);
}

await main({ outputs });
