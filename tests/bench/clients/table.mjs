// A table in Markdown of rows "case,round,metric,value":
//
//   table.mjs FILE HEADING COLUMN...
//
// HEADING[=PATTERN] stands above the names of the cases, those that PATTERN
// fits, less what it matches. A column is TITLE=METRIC, the median of its rounds, or
// TITLE=METRIC/CASE, the median and in brackets the range of the ratio to that
// case in the same round ("~NAME": the case whose name ends so, behind the same
// beginning up to ": "), or TITLE=errors, their sum with the rounds they came
// in; a case with errors is marked with "(!)".
import { median, readRows } from './rows.mjs';

const [file, heading, ...columns] = process.argv.slice(2);
const [, title, pattern] = /^([^=]*)(?:=(.*))?$/.exec(heading);
const fits = new RegExp(pattern ?? '^');
const cases = readRows(file);

function number(value) {
    if (Math.abs(value) >= 100 || Number.isInteger(value)) {
        return String(Math.round(value));
    }
    return value.toFixed(Math.abs(value) < 1 ? 3 : Math.abs(value) < 10 ? 2 : 1);
}

function ratio(rounds, base) {
    const values = [...rounds].filter(([round]) => base?.get(round))
        .map(([round, value]) => value / base.get(round));

    if (values.length === 0) {
        return '-';
    }
    return `${number(median(values))} (${number(Math.min(...values))}-`
        + `${number(Math.max(...values))})`;
}

function errors(rounds) {
    const wrong = [...rounds].filter(([, count]) => count > 0);
    const sum = wrong.reduce((all, [, count]) => all + count, 0);

    return sum === 0 ? '0' : `${sum} in round ${wrong.map(([round]) => round).join(' and ')}`;
}

function cell(name, metrics, column) {
    const [, , metric, base] = /^([^=]*)=([^/]*)(?:\/(.*))?$/.exec(column);
    const rounds = metrics.get(metric);

    if (rounds === undefined) {
        return '-';
    }
    if (metric === 'errors') {
        return errors(rounds);
    }
    return base === undefined ? number(median(rounds.values()))
        : ratio(rounds, cases.get(base.replace('~', name.replace(/[^ ]*$/, '')))?.get(metric));
}

console.log(`| ${[title, ...columns.map((column) => column.replace(/=.*$/, ''))].join(' | ')} |`);
console.log(`|---|${'---:|'.repeat(columns.length)}`);
for (const [name, metrics] of cases) {
    if (fits.test(name)) {
        const wrong = errors(metrics.get('errors') ?? []) !== '0';

        console.log(`| ${[name.replace(fits, '') + (wrong ? ' (!)' : ''),
            ...columns.map((column) => cell(name, metrics, column))].join(' | ')} |`);
    }
}
