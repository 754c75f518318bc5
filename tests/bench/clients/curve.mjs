// What gnuplot is to plot of a curve: a line for each case "NAME=X", X, median,
// lowest and highest of requests a second, and median of the p99 latency.
//
//   curve.mjs FILE NAME
import { median, readRows } from './rows.mjs';

const [file, name] = process.argv.slice(2);

for (const [title, metrics] of readRows(file)) {
    if (title.startsWith(`${name}=`)) {
        const rates = [...metrics.get('rps').values()];

        console.log(title.slice(name.length + 1), median(rates), Math.min(...rates),
            Math.max(...rates), median(metrics.get('p99_ms').values()));
    }
}
