// Does the same with a site that has nginx-upload-progress-module and with one
// that has upload-progressd, and compares what is answered byte for byte.
//   differential.mjs --module=URL --ours=URL CASE
//   differential.mjs --list    the names of the cases
// Where they are to differ is told by differential-expected.mjs alone.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { cases } from './differential-cases.mjs';
import { differences } from './differential-expected.mjs';
import { ask, Upload } from './differential-http.mjs';

const POLL_MS = 20;
const PATIENCE_MS = 5000;
const NO_PATIENCE_MS = 200; // once something is wrong, the rest need not be waited for

// Asks until the answer is good; the last answer, whatever it is, when that
// takes too long.
async function poll(get, good, patience) {
    const end = performance.now() + patience;

    for (;;) {
        const got = await get();

        if (good(got) || performance.now() > end) {
            return got;
        }
        await new Promise((next) => setTimeout(next, POLL_MS));
    }
}

// expected: a number, text or null that it has to be, or an expression.
function fits(expected, value) {
    return expected instanceof RegExp
        ? value !== null && expected.test(value) : expected === value;
}

const fitsAll = (expected, got) =>
    Object.entries(expected).every(([field, value]) => fits(value, got[field]));

// A name with "*" for any run of characters.
function matches(pattern, name) {
    const parts = pattern.split('*').map((s) => s.replace(/[.\\+?^${}()|[\]/]/g, '\\$&'));

    return new RegExp(`^${parts.join('.*')}$`).test(name);
}

const show = (value) => JSON.stringify(value, (key, v) => v instanceof RegExp ? `${v}` : v);

class Comparison {
    constructor(name, moduleUrl, oursUrl) {
        Object.assign(this, { name, moduleUrl, oursUrl });
        this.rows = differences.filter((row) => row.case.startsWith(`${name} / `));
        this.used = new Set();
        this.faults = [];
        this.same = 0;
        this.different = 0;
    }

    // The same upload to both: { send, finish, cut } do it to both.
    upload(options) {
        const both = [this.moduleUrl, this.oursUrl].map((url) => new Upload(url, options));

        return {
            send: (until) => both.forEach((one) => one.send(until)),
            finish: () => Promise.all(both.map((one) => one.finish())),
            answers: () => Promise.all(both.map((one) => one.answer)),
            cut: () => Promise.all(both.map((one) => one.cut())),
        };
    }

    // Asks both. The module has to give an answer like this: { status, body,
    // ... }; ours has to give the same, or what the table says.
    async see(stage, probe, like) {
        const row = this.#rowOf(stage);
        const patience = this.faults.length > 0 ? NO_PATIENCE_MS : PATIENCE_MS;
        const module = await poll(() => ask(this.moduleUrl, probe),
            (got) => fitsAll(row?.module ?? like, got), patience);
        const ours = await poll(() => ask(this.oursUrl, probe),
            (got) => this.#compare(row, module, got).length === 0, patience);

        this.check(stage, [module, ours], like);
    }

    // As see, with answers that were already given.
    check(stage, [module, ours], like) {
        const row = this.#rowOf(stage);
        const faults = this.#compare(row, module, ours);

        if (!row && !fitsAll(like, module)) {
            faults.push(`the module was to give ${show(like)}`);
        }
        if (row) {
            this.used.add(row);
        }
        if (faults.length > 0) {
            this.faults.push(`${this.name} / ${stage}: ${faults.join(', ')}\n` +
                `    module: ${show(module)}\n    ours:   ${show(ours)}`);
        } else if (row) {
            this.different++;
        } else {
            this.same++;
        }
    }

    #rowOf(stage) {
        return this.rows.find((row) => matches(row.case, `${this.name} / ${stage}`));
    }

    // What is wrong: fields that the row names are as it says and do differ,
    // all others are equal.
    #compare(row, module, ours) {
        const faults = [];

        for (const field of Object.keys(module)) {
            if (!row || !(field in row.module)) {
                if (module[field] !== ours[field]) {
                    faults.push(`${field} differs`);
                }
                continue;
            }
            if (!fits(row.module[field], module[field])) {
                faults.push(`the module's ${field} is not the table's`);
            }
            if (!fits(row.ours[field], ours[field])) {
                faults.push(`our ${field} is not the table's`);
            }
            if (module[field] === ours[field]) {
                faults.push(`${field} is no longer a difference`);
            }
        }
        return faults;
    }

    report() {
        for (const row of this.rows.filter((r) => !this.used.has(r))) {
            this.faults.push(`${row.case}: stands in the table, but was not seen`);
        }
        if (this.faults.length + this.same + this.different === 0) {
            this.faults.push(`${this.name}: nothing was compared`);
        }
        console.log(`${this.name}: ${this.same} the same, ${this.different} as the table says`);
        this.faults.forEach((fault) => console.log(`FAULT: ${fault}`));
        return this.faults.length === 0;
    }
}

// A row of the table that no case can meet.
function strayRows() {
    return differences.filter((row) => !(row.case.split(' / ')[0] in cases) || !row.why ||
        Object.keys(row.module).join() !== Object.keys(row.ours).join());
}

// The first cells of the lines of a Markdown table that follows a heading. One
// that ends in an asterisk is not compared here.
function documented(markdown, heading) {
    const section = markdown.split(`\n## ${heading}\n`)[1].split('\n## ')[0];

    return section.split('\n').filter((line) => line.startsWith('| ')).slice(1)
        .map((line) => line.split(' | ')[0].slice(2)).filter((cell) => !cell.endsWith(' *'));
}

// What stands in one of the two tables only: this one and that of the docs.
function undocumented() {
    const text = readFileSync(new URL('../../docs/migration.md', import.meta.url), 'utf8');
    const inDocs = new Set(documented(text, 'Deliberate differences'));
    const seen = new Set(differences.map((row) => row.doc));

    return [
        ...[...seen].filter((doc) => !inDocs.has(doc)).map((doc) => `not in the docs: ${doc}`),
        ...[...inDocs].filter((doc) => !seen.has(doc)).map((doc) => `never compared: ${doc}`),
    ];
}

async function main() {
    const { values, positionals: [name] } = parseArgs({ allowPositionals: true, options: {
        module: { type: 'string' }, ours: { type: 'string' }, list: { type: 'boolean' },
    } });

    if (values.list) {
        strayRows().forEach((row) => console.log(`stray row: ${row.case}`));
        undocumented().forEach((line) => console.log(line));
        Object.keys(cases).forEach((key) => console.log(key));
        return true;
    }
    const comparison = new Comparison(name, values.module, values.ours);

    await cases[name](comparison);
    return comparison.report();
}

process.exit(await main() ? 0 : 1);
