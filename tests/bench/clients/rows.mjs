// The rows "case,round,metric,value" of a topic.
import fs from 'node:fs';

// case -> metric -> round -> value. Of several figures of one round the last one
// holds, but errors are summed up.
export function readRows(file) {
    const cases = new Map();

    for (const line of fs.readFileSync(file, 'utf8').trim().split('\n').slice(1)) {
        const [name, round, metric, value] = line.split(',');
        const metrics = cases.get(name) ?? cases.set(name, new Map()).get(name);
        const rounds = metrics.get(metric) ?? metrics.set(metric, new Map()).get(metric);

        rounds.set(round, (metric === 'errors' ? rounds.get(round) ?? 0 : 0) + Number(value));
    }
    return cases;
}

export function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;

    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
