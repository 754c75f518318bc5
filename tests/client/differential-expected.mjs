// Where upload-progressd is to differ from the module: the only such list. A
// row has the name of the case and of the look ("*" is anything), what the
// module answers, what ours does, why, and the first cell of its line in the
// table of docs/migration.md (doc). Of an answer only the fields that
// differ are named; each is checked on both sides, and all others are equal. A
// row that is no longer a difference, or is never met, fails.
const json = (state) => `{ "state" : ${state} }\r\n`;
const STARTING = json('"starting"');
const DONE = json('"done"');
const ERROR_500 = json('"error", "status" : 500');
const uploading = (received, size) =>
    json(`"uploading", "received" : ${received}, "size" : ${size}`);

const answered = (body, type = 'application/json') => ({
    status: 200, reason: 'OK', type, expires: 'Thu, 01 Jan 1970 00:00:01 GMT',
    cache: 'no-cache', body,
});
const refused = (status, reason, body) => ({
    status, reason, type: 'text/plain', expires: null, cache: null, body,
});
const javascript = (body) => answered(body, 'application/javascript');

const BAD_ID = refused(400, 'Bad Request', 'invalid progress ID\n');
const BAD_CALLBACK = refused(400, 'Bad Request', 'invalid callback\n');
const NGINX_500 = { status: 500, reason: 'Internal Server Error', type: 'text/html',
    body: /<h1>500 Internal Server Error<\/h1>/ };
const UPLOAD_200 = { status: 200, reason: 'OK', type: 'text/plain', body: '300000\n' };

const AGAIN = {
    why: 'an ID used again never harms an upload', doc: 'ID used again after its end',
};
const TWICE = { ...AGAIN, doc: 'ID used again while it runs' };
const EXACT = { why: 'an argument counts by its whole name', doc: 'ID in the query' };
const DECODED = { why: 'arguments are percent-decoded', doc: 'ID in the query' };
const VALID = {
    why: 'an ID is 1 to 255 bytes of printable ASCII',
    doc: 'ID that is empty, longer than 255 bytes, not printable ASCII',
};
const CALLBACK = {
    why: 'a path of identifiers, at most 128 bytes: no script injection', doc: 'callback',
};
const NO_FILE = { why: 'there is no static file to fall through to', doc: 'no ID' };
const AT_END = 'variables of templates, at the end';
const TRUE = 'received is what nginx has read, never ahead of it';

export const differences = [
    { case: 'first moment / the header alone', why: TRUE,
        doc: 'first moments of an upload',
        module: { body: uploading(1000000, 1000000) }, ours: { body: uploading(0, 1000000) } },

    // The module looks at the location of the page, which does not track.
    { case: 'an error page / 413', why: 'the end is told, whatever page answers',
        doc: '413 answered with an `error_page` at a URI',
        module: { body: STARTING }, ours: { body: json('"error", "status" : 413') } },

    ...[1, 1000, 7999].map((bytes) => ({
        case: `small bodies / ${bytes}, the backend works`,
        why: 'README: of less than 8000 bytes the end alone is told',
        doc: 'body of 1 to 7999 bytes, while the backend works',
        module: { body: uploading(bytes, bytes) }, ours: { body: STARTING },
    })),

    { case: 'two header names / header', why: 'the snippets pass one name',
        doc: 'two names of the ID on one nginx',
        module: { body: DONE }, ours: { body: STARTING } },
    { case: 'two header names / a probe by header', why: 'the snippets pass one name',
        doc: 'two names of the ID on one nginx',
        module: answered(DONE), ours: refused(404, 'Not Found', 'no progress ID\n') },

    { case: 'used again after the end / *, the second upload', ...AGAIN,
        module: NGINX_500, ours: UPLOAD_200 },
    { case: 'used again after the end / *, the second', ...AGAIN,
        module: { body: ERROR_500 }, ours: { body: DONE } },
    { case: 'used again while it runs / the second upload', ...TWICE,
        module: NGINX_500, ours: UPLOAD_200 },
    { case: 'used again while it runs / after the second', ...TWICE,
        module: { body: ERROR_500 }, ours: { body: uploading(400000, 1000000) } },
    { case: 'used again while it runs / after the first', ...TWICE,
        module: { body: ERROR_500 }, ours: { body: DONE } },

    { case: 'a full zone / one of many', why: 'a full zone never harms an upload',
        doc: 'zone full',
        module: { status: 503 }, ours: { status: 200 } },

    ...['PUT', 'PATCH'].flatMap((method) => [
        { case: `other methods / ${method}, held`, why: 'they send bodies as POST does',
            doc: 'PUT, PATCH',
            module: { body: STARTING }, ours: { body: uploading(400000, 1000000) } },
        { case: `other methods / ${method}, done`, why: 'they send bodies as POST does',
            doc: 'PUT, PATCH',
            module: { body: STARTING }, ours: { body: DONE } },
    ]),

    // In steps of client_body_buffer_size, 16 KiB.
    { case: 'chunked / held', why: TRUE, doc: 'chunked body',
        module: { body: uploading(-8193, -1) },
        ours: { body: /^\{ "state" : "uploading", "received" : (3[89]\d{4}|400000), "size" : -1 \}\r\n$/ } },
    { case: 'chunked / held, java', why: TRUE, doc: 'chunked body',
        module: { body: 'new Object({ \'state\' : \'uploading\', \'received\' : -8193, \'size\' : -1 })\r\n' },
        ours: { body: /^new Object\(\{ 'state' : 'uploading', 'received' : (3[89]\d{4}|400000), 'size' : -1 \}\)\r\n$/ } },
    { case: 'chunked / held, own templates', why: TRUE,
        doc: 'variables of templates, chunked',
        module: { body: '<-8193/8192/-1/0>();\r\n' },
        ours: { body: /^<(3[89]\d{4}|400000)\/-1\/-1\/0>\(\);\r\n$/ } },
    { case: 'without request buffering / held', why: TRUE, // the module counts no further
        doc: '`proxy_request_buffering off`',
        module: { body: /^\{ "state" : "uploading", "received" : \d{4,5}, "size" : 1000000 \}\r\n$/ },
        ours: { body: uploading(400000, 1000000) } },

    { case: 'methods of a probe / *', why: 'the page is nginx\'s own, the text is the daemon\'s',
        doc: 'POST and others to a probe',
        module: { reason: 'Not Allowed', type: 'text/html', body: /<h1>405 Not Allowed<\/h1>/ },
        ours: { reason: 'Method Not Allowed', type: 'text/plain', body: 'only GET and HEAD\n' } },
    { case: 'no ID / HEAD', ...NO_FILE,
        module: { type: 'text/html' }, ours: { type: 'text/plain' } },
    ...['no ID / *', 'inherited directives / the default name is none'].map((name) => ({
        case: name, ...NO_FILE,
        module: { type: 'text/html', body: /<h1>404 Not Found<\/h1>/ },
        ours: { type: 'text/plain', body: 'no progress ID\n' },
    })),

    { case: 'callbacks / 129 bytes', ...CALLBACK,
        module: javascript(`${'f'.repeat(129)}(${STARTING.trim()});\r\n`), ours: BAD_CALLBACK },
    { case: 'callbacks / script', ...CALLBACK,
        module: javascript(`alert(1);//(${STARTING.trim()});\r\n`), ours: BAD_CALLBACK },
    { case: 'callbacks / markup', ...CALLBACK,
        module: javascript(`<script>(${STARTING.trim()});\r\n`), ours: BAD_CALLBACK },
    { case: 'callbacks / encoded script', ...CALLBACK,
        module: javascript(`alert%281%29(${STARTING.trim()});\r\n`), ours: BAD_CALLBACK },
    { case: 'callbacks / hostile where none is wanted', ...CALLBACK,
        module: answered(STARTING), ours: BAD_CALLBACK },
    { case: 'callbacks / encoded', ...CALLBACK, why: DECODED.why,
        module: { body: `a%2Eb(${STARTING.trim()});\r\n` },
        ours: { body: `a.b(${STARTING.trim()});\r\n` } },
    { case: 'callbacks / end of another name', ...CALLBACK, why: EXACT.why,
        module: { body: `f(${STARTING.trim()});\r\n` },
        ours: { body: `(${STARTING.trim()});\r\n` } },
    { case: 'callbacks / empty, first', ...CALLBACK,
        why: 'an empty argument ends at its "&"',
        module: { body: `&X-Progress-ID=nobody(${STARTING.trim()});\r\n` },
        ours: { body: `(${STARTING.trim()});\r\n` } },

    ...['encoded, then plain', 'plain, then encoded', 'a header, then encoded'].map((look) => ({
        case: `IDs / ${look}`, ...DECODED,
        module: { body: STARTING }, ours: { body: DONE },
    })),
    { case: 'IDs / an upload with the end of a name', ...EXACT,
        module: { body: DONE }, ours: { body: STARTING } },
    { case: 'IDs / a probe with the end of a name', ...EXACT,
        module: answered(DONE), ours: refused(404, 'Not Found', 'no progress ID\n') },
    { case: 'IDs / the end of a name first', ...EXACT,
        module: { body: STARTING }, ours: { body: DONE } },
    ...['256 bytes', 'empty', 'empty, then another argument', 'not ASCII', 'not ASCII, header',
        'a control character'].map((look) => ({
        case: `IDs / ${look}`, ...VALID, module: answered(STARTING), ours: BAD_ID,
    })),
    { case: 'IDs / empty header', ...VALID,
        why: 'an empty header is none, the query is looked at',
        module: { body: STARTING }, ours: { body: DONE } },

    { case: 'several IDs / json, twice', why: 'README: in JSON there is room for many IDs',
        doc: 'several IDs in one probe of JSON',
        module: { body: DONE },
        ours: { body: `{ "one": ${DONE.trim()}, "two": ${STARTING.trim()} }\r\n` } },
    { case: 'several IDs / json, comma', why: 'README: in JSON there is room for many IDs',
        doc: 'several IDs in one probe of JSON',
        module: { body: DONE },
        ours: { body: `{ "a": ${STARTING.trim()}, "b": ${STARTING.trim()} }\r\n` } },

    { case: 'variables of templates / done', doc: AT_END, why: 'README: the status is the response\'s',
        module: { body: 'd 1000000 0 1000000 0\r\n' },
        ours: { body: 'd 1000000 0 1000000 200\r\n' } },
    { case: 'variables of templates / no body', doc: AT_END, why: 'README: the status is the response\'s',
        module: { body: 'd 0 0 0 0\r\n' }, ours: { body: 'd 0 0 0 200\r\n' } },
    { case: 'variables of templates / 413', doc: AT_END, why: 'the length is known, though nothing was read',
        module: { body: 'e 0 0 0 413\r\n' }, ours: { body: 'e 0 1000000 1000000 413\r\n' } },
    { case: 'variables of templates / 403', doc: AT_END, why: TRUE,
        module: { body: 'e 300000 0 300000 403\r\n' },
        ours: { body: 'e 0 300000 300000 403\r\n' } },
    // The module's worker dies; nginx starts another.
    { case: 'variables before the start / unknown', why: 'a probe crashes nothing',
        doc: 'variables of templates, unknown ID',
        module: { status: null, reason: 'closed', type: null, expires: null, cache: null,
            body: null },
        ours: answered('s 0 -1 -1 0\r\n', 'text/plain') },

    { case: 'nginx variables in templates / encoded', ...DECODED,
        doc: 'nginx\'s variables in templates',
        module: { body: 'GET /progress/nginx X-Progress-ID=nobody&t=%31 %31 127.0.0.1 \n' },
        ours: { body: 'GET /progress/nginx X-Progress-ID=nobody&t=%31 1 127.0.0.1 \n' } },
    { case: 'nginx variables in templates / not passed', why: 'README: those that nginx passes',
        doc: 'nginx\'s variables in templates',
        module: { body: 'http 127.0.0.1\n' }, ours: { body: ' \n' } },
];
