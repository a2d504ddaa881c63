// Prints the corpus of cron times: when BullMQ's own cron parser fires, for patterns x zones x days on which
// the clocks change. Each time is reckoned anew from the one before it, as BullMQ does.
//   node cron.mjs > ../../toril/tests/schedulers/cron_corpus.json
import { createRequire } from 'node:module';
const { CronExpressionParser } = createRequire(import.meta.resolve('bullmq'))('cron-parser');

const TIMES = 3;

const patterns = [
  // minutes and hours
  '* * * * *', '*/5 * * * *', '*/7 * * * *', '5,35 * * * *', '10-20/5 * * * *', '30/10 * * * *',
  '0 * * * *', '30 * * * *', '59 23 * * *', '0 0 * * *', '15 0 * * *', '30 0 * * *', '30 1 * * *',
  '15 1 * * *', '45 1 * * *', '0 2 * * *', '15 2 * * *', '30 2 * * *', '45 2 * * *', '0 3 * * *', '30 3 * * *',
  '0 4 * * *', '*/15 2 * * *', '*/20 1-3 * * *', '0 */2 * * *', '30 */3 * * *', '0 1-23/2 * * *', '0 2,3 * * *',
  '30 1,2 * * *', '0 9-17 * * *', '0 0,12 * * *', '0 0-23 * * *', '0 0-22 * * *', '20 23 * * *',
  // seconds
  '* * * * * *', '*/10 * * * * *', '15,45 * * * * *', '30 30 2 * * *', '30 30 1 * * *', '5/20 0 * * * *',
  '*/30 59 1 * * *', '0 0 0 * * *', '30 0 0 1 * *', '0-2 0 3 * * *', '*/30 */30 1-2 * * *',
  // days, months, names, 0 and 7
  '0 12 * * 0', '0 12 * * 7', '0 12 * * SUN', '0 12 * * sun', '0 12 * * MON-FRI', '0 12 * * 1-5', '0 12 * * 5-7',
  '0 12 * * 0-6/2', '0 12 * * 6,0', '0 12 * * mon,Wed,FRI', '30 2 * * SUN', '30 1 * * 0', '0 0 * JAN *',
  '0 0 1 jan-mar *', '0 0 1 */3 *', '0 0 29 2 *', '0 0 31 * *', '0 0 30,31 * *', '0 0 1,15 * *', '0 0 */10 * *',
  '0 0 1 1 *', '30 2 1 * *', '0 0 1-7 * *', '0 6 28-31 2 *', '0 12 * MAR,NOV *', '0 12 * * 7/2', '0 12 * * 0/3',
  // both days, question marks, stars with steps
  '0 0 13 * 5', '0 0 13 * FRI', '0 0 1 * MON', '0 0 ? * MON', '0 0 1 * ?', '0 0 ? * ?', '? ? * * *', '0 0 */2 * 1',
  '0 0 10 * */2', '0 0 1-31 * 1', '0 0 13 * 0-6', '0 0 13 * 0-7', '0 30 2 15 * 1',
  // L and #
  '0 0 L * *', '30 2 L * *', '0 0 15,L * *', '0 0 * * 5L', '0 0 * * FRIL', '0 0 * * 0L', '0 0 * * 7L', '0 0 * * 1L,3L',
  '0 0 L 2 *', '0 0 L * 1', '0 0 * * 1#1', '0 0 * * MON#2', '0 0 * * 5#5', '0 0 * * 0#1', '0 0 * * 7#1',
  '0 0 15 * 2#3', '30 2 * * 0#2', '30 1 * * 0#1', '30 2 * 3,10 0L',
  // macros, fewer fields
  '@yearly', '@annually', '@monthly', '@weekly', '@daily', '@hourly', '@minutely', '@secondly', '@weekdays',
  '@weekends', '*/10', '30 12', '0 12 1', '0 12 1 6',
  // wrong ones
  '', '61 * * * *', '* 24 * * *', '* * 0 * *', '* * 32 * *', '* * * 13 *', '* * * * 8', '60 * * * * *', 'nonsense',
  '* * * * * * *', '*/0 * * * *', '5-1 * * * *', '1,,2 * * * *', '1-2-3 * * * *', '*/2/3 * * * *', '-5 * * * *',
  '* * * * MON#6', '* * * * 1#1,2', '* * * * L', '* * L-3 * *', '* * 15W * *', '* * LW * *', '@reboot', '@midnight',
  '0 0 31 2 *', '0 0 30 2 *', '* * * foo *', '* * * * 5-1', '1.5 * * * *', 'a * * * *', '*/ * * * *',
  '/5 * * * *', '* * * JAN-MAR/2 *', '0 0 * * MONDAY', '0 0 31,L 2 *', '70/5 * * * *', '5/70 * * * *',
];

// Zone -> times to begin from: before the clocks go forward, before they go back, and others.
const zones = {
  UTC: ['2024-02-28T12:00:00Z', '2025-12-31T23:59:30Z', '2026-03-01T00:00:00.500Z'],
  'Europe/Berlin': ['2025-03-29T20:00:00Z', '2025-03-30T00:30:00Z', '2025-03-30T01:00:00Z', '2025-10-25T20:00:00Z', '2025-10-26T00:00:00Z', '2025-10-26T00:30:00Z', '2025-10-26T01:30:00Z'],
  'America/New_York': ['2026-03-07T20:00:00Z', '2026-03-08T06:30:00Z', '2026-03-08T07:00:00Z', '2026-10-31T20:00:00Z', '2026-11-01T05:30:00Z', '2026-11-01T06:10:00Z'],
  'Australia/Lord_Howe': ['2025-10-04T10:00:00Z', '2025-10-04T15:10:00Z', '2025-10-04T15:30:00Z', '2026-04-04T10:00:00Z', '2026-04-04T14:40:00Z', '2026-04-04T15:05:00Z'],
  'Asia/Kolkata': ['2025-06-15T00:00:00Z', '2024-12-31T18:29:59Z'],
  'America/Sao_Paulo': ['2018-11-03T20:00:00Z', '2018-11-04T02:30:00Z', '2019-02-16T20:00:00Z', '2019-02-17T01:30:00Z', '2025-11-01T00:00:00Z'],
  'Africa/Casablanca': ['2025-02-22T20:00:00Z', '2025-02-23T01:30:00Z', '2025-04-05T20:00:00Z', '2025-04-06T01:30:00Z'],
  'Pacific/Apia': ['2011-12-29T20:00:00Z', '2011-12-30T09:30:00Z', '2020-09-26T06:00:00Z', '2021-04-03T06:00:00Z'],
  'Africa/Cairo': ['2025-04-24T16:00:00Z', '2025-10-30T16:00:00Z'],
  'America/Havana': ['2025-03-08T20:00:00Z', '2025-11-01T20:00:00Z'],
  'America/St_Johns': ['2025-03-08T20:00:00Z', '2025-11-01T20:00:00Z'],
};

const times = (pattern, tz, from) => {
  const found = [];
  let at = new Date(from);
  for (let i = 0; i < TIMES; i += 1) {
    const interval = CronExpressionParser.parse(pattern, { tz, currentDate: at });
    try {
      at = new Date(interval.next().getTime());
    } catch {
      break;
    }
    found.push(at.getTime() / 1000);
  }
  return found;
};

const corpus = { wrong: [], times: {} };
for (const pattern of patterns) {
  try {
    CronExpressionParser.parse(pattern, { tz: 'UTC' });
  } catch {
    corpus.wrong.push(pattern);
    continue;
  }
  const rows = (corpus.times[pattern] = {});
  for (const [zone, starts] of Object.entries(zones)) {
    rows[zone] = Object.fromEntries(starts.map((start) => [start, times(pattern, zone, start)]));
  }
}
const lines = Object.entries(corpus.times).map(
  ([pattern, rows]) =>
    `  ${JSON.stringify(pattern)}: {\n${Object.entries(rows)
      .map(([zone, starts]) => `    ${JSON.stringify(zone)}: ${JSON.stringify(starts)}`)
      .join(',\n')}\n  }`,
);
process.stdout.write(`{\n"wrong": ${JSON.stringify(corpus.wrong)},\n"times": {\n${lines.join(',\n')}\n}\n}\n`);
