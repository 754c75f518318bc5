// What a client has said on the wire, as short lines without what differs each time:
// METHOD and URL, the headers that matter, a form's fields, and the answer. Two
// requests of the same form are one line. What each run is expected to say stands in
// pieces-wire.json; a client of another version that speaks otherwise shows.
import fs from 'node:fs';

const EXPECTED = new URL('./pieces-wire.json', import.meta.url).pathname;
const SAID = new RegExp('^(upload-|tus-|x-http-method|content-range|x-content-range|session-id|x-session-id' +
    '|content-disposition|content-type|x-progress-id|transfer-encoding|content-length|expect' +
    '|access-control-request)');
const ANSWERED = /^(upload-|location$|range$)/;
const RAW = /^(tus-|upload-(complete|incomplete|draft|defer))/;
const NAMES = ['tus', 'tus-relative', 'range', 'session', 'draft', 'draft-interim', 'filepond', 'resumable', 'flow',
    'plupload', 'dropzone', 'fineuploader'];

// A value's form: numbers, names and whatever a client makes up have one each.
function form(value) {
    return value
        .replace(/boundary=.*/, 'boundary=B')
        .replace(/[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}/gi, 'ID')
        .replace(/https?:\/\/[^/\s]+/g, 'http://HOST')
        .replace(/\b(filename|name|filetype|type|relativePath) [A-Za-z0-9+/]+=*/g, '$1 BASE64')
        .replace(/[\w-]*pieces-[\w.-]+/g, 'NAME')
        .replace(/\b\d+\b(?!\.)/g, 'N')
        // How many there are depends on the moment.
        .replace(/N-N\/N(,N-N\/N)+/, 'N-N/N')
        .replace(/\b(upload-stream|files)\b/g, 'upload');
}

function urlForm(record) {
    const [, prefix, name, ...rest] = record.path.split('/');
    const id = rest.length > 0 && rest[0] !== '' ? '/ID' : rest.map(() => '/').join('');
    const query = Object.entries(record.query).map(([key, value]) => `${key}=${form(value)}`).join('&');

    return `/${form(prefix)}/${NAMES.includes(name) ? name : 'ID'}${id}${query && `?${query}`}`;
}

function headersForm(headers, wanted) {
    return Object.keys(headers).filter((name) => wanted.test(name)).sort()
        .map((name) => `${name}: ${name === 'content-length' && headers[name] === '0' ? '0'
            : RAW.test(name) ? headers[name] : form(headers[name])}`);
}

export function lineOf(record, told) {
    const parts = [`${record.method} ${urlForm(record)}`, ...headersForm(record.headers, SAID)];

    if (told?.reader) {
        const file = told.fileField ? [`(${told.fileField})`] : [];

        parts.push(`form: ${[...told.earlier, ...file, ...told.later].join(' ')}`);
    }
    // Which of several in parallel is told 201, as it was not the last, is chance.
    const status = record.path.includes('/range') && [200, 201].includes(record.status) ? '20x' : record.status;
    const answer = record.aborted ? ['cut'] : [status, ...headersForm(record.response ?? {}, ANSWERED)];

    return `${parts.join(' | ')} -> ${answer.join(' | ')}`;
}

export function linesOf(oracle) {
    // What was cut before its file began has less to show, it depends on the moment.
    return [...new Set([...oracle.told].filter(([record, told]) => !record.aborted || told.sent !== undefined)
        .map(([record, told]) => lineOf(record, told)))].sort();
}

// One request of each form, as it was.
export function examplesOf(oracle) {
    const byLine = new Map();

    for (const [record, told] of oracle.told) {
        const line = lineOf(record, told);
        if (!byLine.has(line)) {
            const said = (headers, wanted) => Object.entries(headers ?? {}).filter(([name]) => wanted.test(name))
                .map(([name, value]) => `${name}: ${value}`);
            const fields = Object.entries(told.fields ?? {}).map(([name, value]) => `${name}=${value}`);

            byLine.set(line, [`${record.method} ${record.url}`, ...said(record.headers, SAID),
                ...(fields.length > 0 ? [`fields: ${fields.join(' ')}`] : []),
                `-> ${record.aborted ? 'cut' : record.status}`, ...said(record.response, ANSWERED)].join('\n      '));
        }
    }
    return [...byLine.values()];
}

// Differences from what the run is expected to say; update: it is from now on.
export function compare(run, oracle, update) {
    const all = fs.existsSync(EXPECTED) ? JSON.parse(fs.readFileSync(EXPECTED)) : {};
    const lines = linesOf(oracle);

    if (update) {
        all[run] = lines;
        const sorted = Object.fromEntries(Object.keys(all).sort().map((name) => [name, all[name]]));
        fs.writeFileSync(EXPECTED, `${JSON.stringify(sorted, null, 1)}\n`);
        return [];
    }
    if (!all[run]) {
        return [`nothing is expected of "${run}"`];
    }
    return [...lines.filter((line) => !all[run].includes(line)).map((line) => `unexpected on the wire: ${line}`),
        ...all[run].filter((line) => !lines.includes(line)).map((line) => `missing on the wire: ${line}`)];
}
