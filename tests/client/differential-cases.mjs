// The cases: what is done with both sites, and where they are looked at. Each
// look says what the module has to answer, so that nothing is compared before
// it has come about.
const BYTES = 1000000;
const HELD = 400000;

const upload = (id, { path = '/upload', query = '' } = {}) =>
    `${path}?X-Progress-ID=${id}${query}`;

const json = (state) => `{ "state" : ${state} }\r\n`;
const STARTING = json('"starting"');
const DONE = json('"done"');
const uploading = (received, size) =>
    json(`"uploading", "received" : ${received}, "size" : ${size}`);
const error = (status) => json(`"error", "status" : ${status}`);

const probe = (id, path = '/progress') => ({ path: `${path}?X-Progress-ID=${id}` });
const is = (body) => ({ status: 200, body });

// Every output, and every way to ask for it: the probe of an ID, and what the
// module answers, told from its JSON.
const asJsonp = (callback) => (body) => `${callback}(${body.trim()});\r\n`;
const asJava = (body) => `new Object(${body.trim().replace(/"/g, '\'')})\r\n`;

// The four templates of /progress/template.
function asTemplate(body) {
    const [received, size] = (body.match(/\d+/g) ?? []).map(Number);

    return body.includes('uploading') ? `<${received}/${size - received}/${size}/0>();\r\n`
        : `own ${body.match(/starting|done|error/)[0]}`;
}

const LOOKS = {
    'json': [(id) => probe(id), (b) => b],
    'further path': [(id) => probe(id, '/progress/further/path'), (b) => b],
    'encoded path': [(id) => probe(id, '/%70rogress//x/..'), (b) => b],
    'longer prefix': [(id) => probe(id, '/progress/longer/path'), asJava],
    'exact location, longer URI': [(id) => probe(id, '/progress/java/x'), (b) => b],
    'java': [(id) => probe(id, '/progress/java'), asJava],
    'jsonp': [(id) => probe(id, '/progress/jsonp'), asJsonp('')],
    'jsonp, callback': [(id) => probe(`${id}&callback=up.date`, '/progress/jsonp'),
        asJsonp('up.date')],
    'jsonp, callback first': [(id) => ({
        path: `/progress/jsonp?callback=jQuery1_2&X-Progress-ID=${id}&_=17`,
    }), asJsonp('jQuery1_2')],
    'jsonp, empty callback': [(id) => probe(`${id}&callback=`, '/progress/jsonp'), asJsonp('')],
    'json, callback': [(id) => probe(`${id}&callback=f`), (b) => b],
    'own parameter': [(id) => probe(`${id}&function=f&callback=g`, '/progress/function'),
        asJsonp('f')],
    'own header name': [(id) => ({ path: `/progress/token?X-Upload-Token=${id}` }), (b) => b],
    'own header name, header': [(id) => ({
        path: '/progress/token-header', headers: { 'x-upload-token': id },
    }), (b) => b],
    'in a header': [(id) => ({ path: '/progress', headers: { 'X-Progress-ID': id } }), (b) => b],
    'in a header of other case': [(id) => ({
        path: '/progress/java', headers: { 'x-PROGRESS-id': id },
    }), asJava],
    'in an argument of other case': [(id) => ({ path: `/progress?x-progress-id=${id}` }),
        (b) => b],
    'header against query': [(id) => ({
        path: '/progress?X-Progress-ID=nobody', headers: { 'X-Progress-ID': id },
    }), (b) => b],
    'argument twice': [(id) => ({
        path: `/progress/java?a=b&X-Progress-ID=${id}&X-Progress-ID=nobody`,
    }), asJava],
    'other arguments': [(id) => ({ path: `/progress?t=1&X-Progress-ID=${id}&t=2` }), (b) => b],
    'HEAD': [(id) => ({ ...probe(id), method: 'HEAD' }), () => ''],
    'HEAD, jsonp': [(id) => ({ ...probe(id, '/progress/jsonp'), method: 'HEAD' }), () => ''],
    'GET with a body': [(id) => ({ ...probe(id), body: 'x=1', headers: { 'Content-Length': 3 } }),
        (b) => b],
    'own templates': [(id) => probe(id, '/progress/template'), asTemplate],
    'own type': [(id) => probe(id, '/progress/template'), undefined],
};

const TYPES = { 'own type': 'text/x-own; charset=utf-8' };

// Looks in all ways; body is what the module's JSON has to be.
async function seeAll(both, stage, id, body) {
    for (const [name, [ask, form]] of Object.entries(LOOKS)) {
        const like = form ? is(form(body)) : { status: 200, type: TYPES[name] };

        await both.see(`${stage}, ${name}`, ask(id), like);
    }
}

// An upload that is over, whatever its end: all looks find it.
async function ended(both, stage, body, options) {
    const id = stage.replace(/\W/g, '-');
    const one = both.upload({ bytes: 300000, ...options, path: upload(id, options) });
    const status = body === DONE ? /^[23]/ : Number(body.match(/\d+/)[0]);

    both.check(`${stage}, the upload`, await one.finish(), { status });
    await seeAll(both, stage, id, body);
}

// Whatever came before has been told by now: a later upload has.
let markers = 0;
async function settled(both) {
    const id = `marker-${++markers}`;

    await both.upload({ path: upload(id), bytes: 1 }).finish();
    await both.see(`marker ${markers}`, probe(id), is(DONE));
}

export const cases = {
    async 'unknown'(both) {
        await seeAll(both, 'unknown', 'nobody', STARTING);
    },

    async 'in flight'(both) {
        const one = both.upload({ path: upload('one'), bytes: BYTES });

        one.send(HELD);
        await seeAll(both, 'held', 'one', uploading(HELD, BYTES));
        one.send(HELD + 1);
        await seeAll(both, 'one byte more', 'one', uploading(HELD + 1, BYTES));
        both.check('the upload', await one.finish(), { status: 200 });
        await seeAll(both, 'over', 'one', DONE);
    },

    async 'the backend works'(both) {
        const one = both.upload({ path: upload('one', { query: '&delay=60000' }), bytes: BYTES });

        one.finish();
        await seeAll(both, 'all bytes are here', 'one', uploading(BYTES, BYTES));
        await one.cut();
        await seeAll(both, 'the client went away', 'one', error(499));
    },

    async 'first moment'(both) {
        const one = both.upload({ path: upload('one'), bytes: BYTES });

        await both.see('the header alone', probe('one'), is(uploading(BYTES, BYTES)));
        one.send(1);
        await both.see('one byte', probe('one'), is(uploading(1, BYTES)));
        await one.cut();
    },

    async 'ends of the backend'(both) {
        await ended(both, '200', DONE);
        await ended(both, '302', DONE, { query: '&status=302' });
        await ended(both, '204', DONE, { query: '&status=204' });
        for (const status of [400, 401, 404, 500, 503]) {
            await ended(both, `${status}`, error(status), { query: `&status=${status}` });
        }
        await ended(both, 'closed', error(502), { query: '&drop=1' });
    },

    async 'ends of nginx'(both) {
        await ended(both, '413', error(413), { path: '/small' });
        await ended(both, '403', error(403), { path: '/denied' });
        await ended(both, '503', error(503), { path: '/busy' });
        await ended(both, '502', error(502), { path: '/dead' });
        await ended(both, '504', error(504), { path: '/late', query: '&delay=60000' });
    },

    async 'an error page'(both) {
        const one = both.upload({ path: upload('one', { path: '/paged' }), bytes: 300000 });
        const two = both.upload({ path: upload('two', { path: '/paged-small' }), bytes: 300000 });

        both.check('502, the upload', await one.finish(), { status: 502, body: 'sorry\n' });
        both.check('413, the upload', await two.finish(), { status: 413, body: 'sorry\n' });
        await settled(both);
        await both.see('502', probe('one'), is(error(502)));
        await both.see('413', probe('two'), is(STARTING));
    },

    async 'the client cuts the body short'(both) {
        const one = both.upload({ path: upload('one'), bytes: BYTES });

        one.send(HELD);
        await both.see('held', probe('one'), is(uploading(HELD, BYTES)));
        await one.cut();
        await seeAll(both, 'cut', 'one', error(400));
    },

    async 'the client stops sending'(both) {
        const one = both.upload({ path: upload('one', { path: '/hasty' }), bytes: BYTES });

        one.send(HELD);
        both.check('the upload', await one.answers(), { reason: 'closed' });
        await seeAll(both, '408', 'one', error(408));
    },

    async 'small bodies'(both) {
        for (const bytes of [0, 1, 1000, 7999, 8000]) {
            const one = both.upload({
                path: upload(`held-${bytes}`, { query: '&delay=60000' }), bytes,
            });

            one.finish();
            await settled(both);
            await both.see(`${bytes}, the backend works`, probe(`held-${bytes}`),
                is(bytes === 0 ? STARTING : uploading(bytes, bytes)));
            await one.cut();
        }
        for (const bytes of [0, 1, 1000]) {
            await ended(both, `done with ${bytes}`, DONE, { bytes });
        }
    },

    async 'used again after the end'(both) {
        for (const [id, query, body] of [['good', '', DONE], ['bad', '&status=502', error(502)]]) {
            await both.upload({ path: upload(id, { query }), bytes: 300000 }).finish();
            await both.see(`${id}, the first`, probe(id), is(body));
            both.check(`${id}, the second upload`,
                await both.upload({ path: upload(id), bytes: 300000 }).finish(), { status: 500 });
            await settled(both);
            await both.see(`${id}, the second`, probe(id), is(error(500)));
        }
    },

    async 'used again while it runs'(both) {
        const one = both.upload({ path: upload('one'), bytes: BYTES });

        one.send(HELD);
        await both.see('the first', probe('one'), is(uploading(HELD, BYTES)));
        both.check('the second upload',
            await both.upload({ path: upload('one'), bytes: 300000 }).finish(), { status: 500 });
        await settled(both);
        await both.see('after the second', probe('one'), is(error(500)));
        both.check('the first upload', await one.finish(), { status: 200 });
        await settled(both);
        await both.see('after the first', probe('one'), is(error(500)));
    },

    async 'a full zone'(both) {
        let refused = [null, null];

        for (let i = 0; i < 300; i++) {
            const answers = await both.upload({
                path: upload(`full-${i}`, { path: '/tiny' }), bytes: 1,
            }).finish();

            refused = answers.map((got, site) => got.status === 200 ? refused[site] : got);
            if (i === 0) {
                both.check('the first upload', answers, { status: 200 });
            }
        }
        both.check('one of many', refused.map((got) => ({ status: got?.status ?? 200 })),
            { status: 503 });
    },

    async 'other methods'(both) {
        for (const method of ['PUT', 'PATCH']) {
            const one = both.upload({ path: upload(method), method, bytes: BYTES });

            one.send(HELD);
            await settled(both);
            await both.see(`${method}, held`, probe(method), is(STARTING));
            both.check(`${method}, the upload`, await one.finish(), { status: 200 });
            await settled(both);
            await both.see(`${method}, done`, probe(method), is(STARTING));
        }
        for (const method of ['GET', 'DELETE', 'OPTIONS']) {
            const one = both.upload({ path: upload(method), method, bytes: 9000 });

            both.check(`${method}, the upload`, await one.finish(), { status: 200 });
            await settled(both);
            await both.see(`${method}, done`, probe(method), is(STARTING));
        }
    },

    async 'chunked'(both) {
        const one = both.upload({ path: upload('one') });

        one.send(HELD);
        await both.see('held', probe('one'), is(/"received" : -\d+, "size" : -1 }/));
        await both.see('held, java', probe('one', '/progress/java'),
            is(/'received' : -\d+, 'size' : -1 }/));
        await both.see('held, own templates', probe('one', '/progress/template'),
            is(/^<-\d+\/\d+\/-1\/0>\(\);\r\n$/));
        both.check('the upload', await one.finish(), { status: 200 });
        await seeAll(both, 'done', 'one', DONE);

        const two = both.upload({ path: upload('two', { query: '&status=500' }) });

        two.send(HELD);
        await two.finish();
        await seeAll(both, 'error', 'two', error(500));
    },

    async 'without request buffering'(both) {
        const one = both.upload({ path: upload('one', { path: '/direct' }), bytes: BYTES });

        one.send(HELD);
        await both.see('held', probe('one'), is(uploading(9079, BYTES)));
        both.check('the upload', await one.finish(), { status: 200 });
        await seeAll(both, 'done', 'one', DONE);
    },

    async 'the default output'(both) {
        const one = both.upload({ path: upload('one', { query: '&status=500' }), bytes: BYTES });
        const look = async (stage, id, body) => {
            await both.see(stage, probe(id, '/progress/default'), is(asJsonp('')(body)));
            await both.see(`${stage}, callback`, probe(`${id}&callback=f`, '/progress/default'),
                is(asJsonp('f')(body)));
        };

        await look('starting', 'nobody', STARTING);
        one.send(HELD);
        await look('uploading', 'one', uploading(HELD, BYTES));
        await one.finish();
        await look('error', 'one', error(500));
        await both.upload({ path: upload('two'), bytes: 1 }).finish();
        await look('done', 'two', DONE);
    },

    async 'methods of a probe'(both) {
        for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
            await both.see(method, { ...probe('nobody'), method }, { status: 405 });
            await both.see(`${method}, no ID`, { path: '/progress', method }, { status: 405 });
        }
        await both.see('POST with a body', {
            ...probe('nobody'), method: 'POST', body: 'x=1', headers: { 'Content-Length': 3 },
        }, { status: 405 });
    },

    async 'no ID'(both) {
        for (const [name, path] of Object.entries({
            'json': '/progress', 'jsonp': '/progress/jsonp?callback=f', 'java': '/progress/java',
            'other arguments': '/progress?a=b', 'no value': '/progress?X-Progress-ID',
            'only the end of the name': '/progress?Progress-ID=one',
            'the default name where there is an own': '/progress/token?X-Progress-ID=one',
        })) {
            await both.see(name, { path }, { status: 404 });
        }
        await both.see('HEAD', { path: '/progress', method: 'HEAD' }, { status: 404, body: '' });
    },

    async 'callbacks'(both) {
        const look = (stage, query, callback) => both.see(stage,
            { path: `/progress/jsonp?X-Progress-ID=nobody${query}` },
            is(asJsonp(callback)(STARTING)));
        const longest = 'f'.repeat(128);

        await look('a path', '&callback=a.b[0].$c_D', 'a.b[0].$c_D');
        await look('128 bytes', `&callback=${longest}`, longest);
        await look('129 bytes', `&callback=${longest}f`, `${longest}f`);
        await look('script', '&callback=alert(1);//', 'alert(1);//');
        await look('markup', '&callback=<script>', '<script>');
        await look('encoded', '&callback=a%2Eb', 'a%2Eb');
        await look('encoded script', '&callback=alert%281%29', 'alert%281%29');
        await look('twice', '&callback=f&callback=g', 'f');
        await look('no value', '&callback', '');
        await look('end of another name', '&mycallback=f', 'f');
        await look('beginning of another name', '&callbacks=f', '');
        await both.see('hostile where none is wanted', probe('nobody&callback=alert(1)'),
            is(STARTING));
        await both.see('empty, first', {
            path: '/progress/jsonp?callback=&X-Progress-ID=nobody',
        }, is(asJsonp('&X-Progress-ID=nobody')(STARTING)));
    },

    async 'callback in other case'(both) {
        await both.see('CALLBACK', { path: '/progress/jsonp?X-Progress-ID=nobody&CALLBACK=f' },
            is(asJsonp('')(STARTING)));
    },

    async 'IDs'(both) {
        const track = async (options) => {
            await both.upload({ bytes: 300000, ...options }).finish();
            await settled(both);
        };
        const header = (id) => ({ path: '/upload', headers: { 'X-Progress-ID': id } });

        await track(header('by-header'));
        await both.see('header, then query', probe('by-header'), is(DONE));
        await track({ path: '/upload?x-progress-id=by-query' });
        await both.see('query of other case, then header', { path: '/progress',
            headers: { 'x-progress-id': 'by-query' } }, is(DONE));
        await track({ path: upload('in-query'), headers: { 'X-Progress-ID': 'in-header' } });
        await both.see('both: the header is it', probe('in-header'), is(DONE));
        await both.see('both: the query is not', probe('in-query'), is(STARTING));
        await track({ path: '/upload?a=b&X-Progress-ID=first&X-Progress-ID=second' });
        await both.see('twice: the first is it', probe('first'), is(DONE));
        await both.see('twice: the second is not', probe('second'), is(STARTING));

        await track({ path: upload('a%2Fb') });
        await both.see('encoded alike', probe('a%2Fb'), is(DONE));
        await both.see('encoded, then plain', probe('a/b'), is(STARTING));
        await track({ path: upload('plain/id') });
        await both.see('plain alike', probe('plain/id'), is(DONE));
        await both.see('plain, then encoded', probe('plain%2fid'), is(STARTING));
        await track(header('100%25'));
        await both.see('a header is not decoded', { path: '/progress',
            headers: { 'X-Progress-ID': '100%25' } }, is(DONE));
        await both.see('a header, then encoded', probe('100%2525'), is(STARTING));
        await track({ path: upload('a+b~c;d=e') });
        await both.see('plus and others', probe('a+b~c;d=e'), is(DONE));

        await track({ path: '/upload?My-X-Progress-ID=mine' });
        await both.see('an upload with the end of a name', probe('mine'), is(DONE));
        await both.see('a probe with the end of a name', { path: '/progress?My-X-Progress-ID=mine' },
            is(DONE));
        await track({ path: '/upload?My-X-Progress-ID=before&X-Progress-ID=after' });
        await both.see('the end of a name first', probe('after'), is(STARTING));

        const longest = 'i'.repeat(255);

        await track({ path: upload(longest) });
        await both.see('255 bytes', probe(longest), is(DONE));
        await both.see('256 bytes', probe(`${longest}i`), is(STARTING));
        await both.see('empty', probe(''), is(STARTING));
        await both.see('empty, then another argument', probe('&a=b'), is(STARTING));
        await both.see('empty header', { path: probe('first').path,
            headers: { 'X-Progress-ID': '' } }, is(STARTING));
        await both.see('not ASCII', probe('%C3%A4'), is(STARTING));
        await both.see('not ASCII, header', { path: '/progress',
            headers: { 'X-Progress-ID': '\u00e4' } }, is(STARTING));
        await both.see('a control character', probe('a%0Ab'), is(STARTING));
    },

    async 'several IDs'(both) {
        const one = both.upload({ path: upload('one'), bytes: 300000 });

        await one.finish();
        await both.upload({ path: upload('a,b'), bytes: 300000 }).finish();
        await both.see('json, twice', probe('one&X-Progress-ID=two'), is(DONE));
        await both.see('json, comma', probe('a,b'), is(DONE));
        await both.see('json, header with a comma', { path: '/progress',
            headers: { 'X-Progress-ID': 'a,b' } }, is(DONE));
        for (const [output, form] of [['java', asJava], ['jsonp', asJsonp('')]]) {
            await both.see(`${output}, twice`, probe('one&X-Progress-ID=two', `/progress/${output}`),
                is(form(DONE)));
            await both.see(`${output}, comma`, probe('a,b', `/progress/${output}`),
                is(form(DONE)));
        }
    },

    // The snippets are installed for this name.
    async 'own header name'(both) {
        const ways = {
            query: (path, id) => ({ path: `${path}?X-Upload-Token=${id}` }),
            header: (path, id) => ({ path, headers: { 'X-Upload-Token': id } }),
            'other case': (path, id) => ({ path: `${path}?x-upload-TOKEN=${id}` }),
        };

        for (const [id, way] of Object.entries(ways)) {
            const one = both.upload({ ...way('/upload', id.replace(' ', '-')), bytes: BYTES });
            const look = async (stage, body) => {
                for (const [name, asked] of Object.entries(ways)) {
                    await both.see(`${id}, ${stage}, by ${name}`,
                        asked('/progress', id.replace(' ', '-')), is(body));
                }
            };

            one.send(HELD);
            await look('held', uploading(HELD, BYTES));
            await one.finish();
            await look('done', DONE);
        }
        await both.see('the default name is none',
            { path: '/progress?X-Upload-Token=nobody&X-Progress-ID=query' }, is(STARTING));
    },

    // Of X-Progress-ID and X-Upload-Token the snippets pass one.
    async 'two header names'(both) {
        const token = (id) => ({ 'X-Upload-Token': id });

        await both.upload({ path: '/token', headers: token('header'), bytes: 1 }).finish();
        await both.see('header', probe('header'), is(DONE));
        await both.upload({ path: upload('one'), bytes: 1 }).finish();
        await both.see('a probe by header', { path: '/progress/token', headers: token('one') },
            is(DONE));
    },

    async 'variables of templates'(both) {
        const look = (stage, id, body) => both.see(stage, probe(id, '/progress/variables'),
            is(`${body}\r\n`));
        const one = both.upload({ path: upload('one'), bytes: BYTES });

        one.send(HELD);
        await look('uploading', 'one', `u ${HELD} ${BYTES - HELD} ${BYTES} 0`);
        await one.finish();
        await look('done', 'one', `d ${BYTES} 0 ${BYTES} 0`);
        await both.upload({ path: upload('302', { query: '&status=302' }), bytes: BYTES }).finish();
        await look('302', '302', `d ${BYTES} 0 ${BYTES} 302`);
        await both.upload({ path: upload('500', { query: '&status=500' }), bytes: BYTES }).finish();
        await look('500', '500', `e ${BYTES} 0 ${BYTES} 500`);
        await both.upload({ path: upload('413', { path: '/small' }), bytes: BYTES }).finish();
        await look('413', '413', 'e 0 0 0 413');
        await both.upload({ path: upload('403', { path: '/denied' }), bytes: 300000 }).finish();
        await look('403', '403', 'e 300000 0 300000 403');
        const two = both.upload({ path: upload('two'), bytes: BYTES });

        two.send(HELD);
        await look('held', 'two', `u ${HELD} ${BYTES - HELD} ${BYTES} 0`);
        await two.cut();
        await look('cut short', 'two', `e ${HELD} ${BYTES - HELD} ${BYTES} 400`);
        await both.upload({ path: upload('empty'), bytes: 0 }).finish();
        await look('no body', 'empty', 'd 0 0 0 0');
    },

    async 'variables before the start'(both) {
        await both.see('unknown', probe('nobody', '/progress/variables'), { reason: 'closed' });
        await both.see('afterwards', probe('nobody'), is(STARTING));
    },

    async 'nginx variables in templates'(both) {
        const look = (stage, query, arg) => both.see(stage,
            { path: `/progress/nginx?X-Progress-ID=nobody${query}` },
            is(`GET /progress/nginx X-Progress-ID=nobody${query} ${arg} 127.0.0.1 \n`));

        await look('plain', '&t=1', '1');
        await look('no value', '', '');
        await look('encoded', '&t=%31', '%31');
        await look('plus', '&t=1+2', '1+2');
        await both.see('header', { path: '/progress/nginx?X=Y',
            headers: { 'X-Progress-ID': 'nobody' } },
        is('GET /progress/nginx X=Y  127.0.0.1 nobody\n'));
        await both.see('not passed', probe('nobody', '/progress/nginx-more'),
            is('http 127.0.0.1\n'));
    },

    async 'a content type, then an output'(both) {
        await both.see('the output\'s type holds', probe('nobody', '/progress/type-first'),
            { ...is(STARTING), type: 'application/json' });
    },

    async 'order of directives'(both) {
        const look = (stage, path, body, type) =>
            both.see(stage, probe('nobody', path), { ...is(body), type });

        await look('a template, then an output', '/progress/template-first', STARTING,
            'application/json');
        await look('an output, then a template', '/progress/template-last', 'own',
            'application/json');
    },

    async 'inherited directives'(both) {
        const look = (stage, path, body, type) => both.see(stage,
            { path: `${path}?X-Upload-Token=nobody&function=f` }, { ...is(body), type });

        await look('output', '/progress', STARTING, 'application/json');
        await look('own type', '/progress/type', STARTING, 'text/x-own');
        await look('own template', '/progress/template', 'own', 'application/json');
        await look('own output, inherited parameter', '/progress/jsonp', asJsonp('f')(STARTING),
            'application/javascript');
        await both.see('the default name is none', probe('nobody'), { status: 404 });
    },
};
