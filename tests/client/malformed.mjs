// Requests that break FastCGI or SCGI, by what is wrong with them.
import { ABORT, BEGIN, PARAMS, STDIN, begin, pair, pairs, probeParams, record, request }
    from './fastcgi.mjs';
import { netstring } from './scgi.mjs';

const good = pairs(probeParams('nobody'));
const end = Buffer.concat([record(PARAMS), record(STDIN)]);

function concat(...parts) {
    return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

// A request with these bytes as its parameters.
function withParams(bytes) {
    return concat(begin(), record(PARAMS, bytes), end);
}

// The same without its end: nobody waits for what cannot be taken.
function endless(bytes) {
    return concat(begin(), record(PARAMS, bytes));
}

const name300 = 'n'.repeat(300);
const huge = [0xff, 0xff, 0xff, 0xff];

export const malformedFastcgi = {
    'a name of 4 GiB': withParams(concat(huge, [1], 'xy')),
    'a value of 4 GiB': withParams(concat([1], huge, 'xy')),
    'a name and a value of 4 GiB': withParams(concat(huge, huge, 'xy')),
    'lengths beyond 2 GiB together': withParams(concat(huge, [0x80, 0, 0, 3], 'xy')),
    'a value of 2 GiB': withParams(concat([1], [0xff, 0xff, 0xff, 0xfe], 'xy')),
    'a value beyond the limit': withParams(concat([1], [0x80, 1, 0, 1], 'xy')),
    'a name of 4 GiB, without end': endless(concat(huge, [1], 'xy')),
    'a value of 4 GiB, without end': endless(concat([1], huge, 'xy')),
    'a value beyond the limit, without end': endless(concat([1], [0x80, 1, 0, 1], 'xy')),
    'a huge pair behind good ones': withParams(concat(good, huge, huge)),
    'a length cut by the end': withParams(concat(good, [0x80, 0])),
    'a missing second length': withParams(concat(good, [5])),
    'a name cut by the end': withParams(concat(good, [10, 2], 'short')),
    'a value cut by the end': withParams(pair('A', 'value').subarray(0, -1)),
    'a long value cut by the end': withParams(pair(name300, name300).subarray(0, -1)),
    'role 0': concat(begin({ role: 0 }), record(PARAMS, good), end),
    'role 9': concat(begin({ role: 9 }), record(PARAMS, good), end),
    'role 65535': concat(begin({ role: 65535 }), record(PARAMS, good), end),
    'parameters of another request': concat(begin(), record(PARAMS, good, { id: 2 }), end),
    'the end of another request': concat(begin(), record(PARAMS, good),
        record(PARAMS, '', { id: 257 }), record(STDIN)),
    'a body of another request': concat(begin(), record(PARAMS, good), record(PARAMS),
        record(STDIN, 'x', { id: 2 }), record(STDIN)),
    'request 0': request(probeParams('nobody'), { id: 0 }),
    'a second begin': concat(begin(), begin(), record(PARAMS, good), end),
    'a begin that is too short': concat(record(BEGIN, 'short'), record(PARAMS, good), end),
    'no begin': concat(record(PARAMS, good), end),
    'a body before the parameters': concat(begin(), record(STDIN, 'x'), record(PARAMS, good), end),
    'parameters behind the body': concat(begin(), record(PARAMS, good), record(PARAMS),
        record(STDIN, 'x'), record(PARAMS, good)),
    'an abort': concat(begin(), record(PARAMS, good), record(ABORT)),
    'an abort in mid-body': concat(begin(), record(PARAMS, good), record(PARAMS),
        record(STDIN, 'x'), record(ABORT)),
    'an unknown type': concat(begin(), record(99, good), end),
    'another version': concat(begin(), record(PARAMS, good, { version: 0 }), end),
    'another version in mid-body': concat(begin(), record(PARAMS, good), record(PARAMS),
        record(STDIN, 'x', { version: 3 })),
    'more parameters than are read': withParams(Buffer.concat(Array.from({ length: 300 },
        (_, i) => pair(`N${i}`, 'v')))),
    'empty parameters without end': concat(begin(), ...Array.from({ length: 33000 },
        () => record(PARAMS, [0, 0]))),
};

// Names and values, each with its NUL.
function header(...words) {
    return netstring(words.map((word) => `${word}\x00`).join(''));
}

export const malformedScgi = {
    'no length': concat(header('CONTENT_LENGTH', '0', 'SCGI', '1').subarray(2)),
    'a length of nothing': concat('0:,'),
    'a negative length': concat('-1:,'),
    'a length of 99 million': concat('99999999:CONTENT_LENGTH'),
    'a length without end': concat('1'.repeat(30)),
    'leading zeros without end': concat('0'.repeat(30)),
    'a length in hexadecimal': concat('0x20:CONTENT_LENGTH'),
    'no comma': concat(header('CONTENT_LENGTH', '0', 'SCGI', '1').subarray(0, -1), ';'),
    'no SCGI': header('CONTENT_LENGTH', '0', 'A', 'B'),
    'SCGI 2': header('CONTENT_LENGTH', '0', 'SCGI', '2'),
    'no CONTENT_LENGTH': header('SCGI', '1', 'A', 'B'),
    'CONTENT_LENGTH second': header('SCGI', '1', 'CONTENT_LENGTH', '0'),
    'an empty CONTENT_LENGTH': header('CONTENT_LENGTH', '', 'SCGI', '1'),
    'a negative CONTENT_LENGTH': header('CONTENT_LENGTH', '-1', 'SCGI', '1'),
    'a CONTENT_LENGTH that is no number': header('CONTENT_LENGTH', '1x', 'SCGI', '1'),
    'a CONTENT_LENGTH of 2^64': header('CONTENT_LENGTH', '18446744073709551616', 'SCGI', '1'),
    'a name without a value': header('CONTENT_LENGTH', '0', 'SCGI', '1', 'NAME'),
    'a value without its end': netstring('CONTENT_LENGTH\x000\x00SCGI\x001\x00NAME\x00VALUE'),
    'more parameters than are read': header('CONTENT_LENGTH', '0', 'SCGI', '1',
        ...Array.from({ length: 300 }, (_, i) => [`N${i}`, 'v']).flat()),
};
