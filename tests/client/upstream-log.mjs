// Reads the log format of nginx-snippets/upstream/log.conf back:
//
//   node upstream-log.mjs FILE
//
// prints for each line the request's URI, its status and what became of each try,
// "URI STATUS ADDRESS=STATUS, ... : ...", and ends with an error where a line is
// not what the snippet says of it.
import assert from 'node:assert';
import fs from 'node:fs';

// What an entry of each list may be.
const LISTS = {
    upstream_addr: /^(?:[0-9.]+:[0-9]+|\[[0-9a-f:]+\]:[0-9]+|unix:\/.+|[A-Za-z_]\w*)$/,
    upstream_status: /^(?:[1-5][0-9]{2}|-)$/,
    upstream_connect_time: /^(?:[0-9]+\.[0-9]{3}|-)$/,
    upstream_header_time: /^(?:[0-9]+\.[0-9]{3}|-)$/,
    upstream_response_time: /^(?:[0-9]+\.[0-9]{3}|-)$/,
    upstream_response_length: /^(?:[0-9]+|-)$/,
    upstream_bytes_received: /^(?:[0-9]+|-)$/,
    upstream_bytes_sent: /^(?:[0-9]+|-)$/,
};

// "a, b : c" is [[a, b], [c]]; nothing is [].
function parseList(text) {
    return text === '' ? []
        : text.split(' : ').map((group) => (group === '' ? [] : group.split(', ')));
}

function parseLine(line) {
    const record = JSON.parse(line);

    for (const [name, entry] of Object.entries(LISTS)) {
        record[name] = parseList(record[name]);
        assert.deepStrictEqual(record[name].map((group) => group.length),
            record.upstream_addr.map((group) => group.length), `${name} has another shape: ${line}`);
        record[name].flat().forEach((value) => assert.match(value, entry, `${name}: ${line}`));
    }
    assert.match(record.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$/);
    assert.match(record.request_id, /^[0-9a-f]{32}$/);
    assert.match(record.status, /^[1-5]\d\d$/);
    assert.match(record.request_time, /^\d+\.\d{3}$/);
    assert.match(record.upstream_cache_status, /^(?:[A-Z]+|)$/);
    return record;
}

// Numbers that belong together.
function check(record) {
    record.upstream_addr.forEach((group, g) => group.forEach((address, i) => {
        const [connect, header, response] = ['connect', 'header', 'response']
            .map((what) => Number(record[`upstream_${what}_time`][g][i]));
        const [length, received, sent] = ['response_length', 'bytes_received', 'bytes_sent']
            .map((what) => Number(record[`upstream_${what}`][g][i]));

        if (record.upstream_connect_time[g][i] === '-') {
            assert.strictEqual(received, 0, 'bytes of a server that was not reached');
            assert.strictEqual(sent, 0, 'bytes to a server that was not reached');
            return;
        }
        assert(sent > 0, 'a request that was sent has bytes');
        assert(response >= connect, 'a response comes after the connection');
        if (record.upstream_header_time[g][i] !== '-') {
            assert(header >= connect && header <= response, 'the header comes in between');
            assert(received >= length, 'the body is a part of what came');
        }
    }));
}

// Latin-1 takes any byte as it is.
const lines = fs.readFileSync(process.argv[2], 'latin1').split('\n').slice(0, -1);

assert(lines.length > 0, 'nothing was logged');
for (const line of lines) {
    const record = parseLine(line);
    const tries = record.upstream_addr.map((group, g) => group
        .map((address, i) => `${address}=${record.upstream_status[g][i]}`).join(', '));

    check(record);
    console.log([record.request.split(' ')[1], record.status, tries.join(' : '),
        record.upstream_cache_status].filter((word) => word !== '').join(' '));
}
