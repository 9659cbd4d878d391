// Numbers and times for people.

const number = new Intl.NumberFormat('en', {maximumFractionDigits: 6});
const short = new Intl.NumberFormat('en', {notation: 'compact', maximumSignificantDigits: 4});

export function count(value: number | string | undefined): string {
  return number.format(Number(value ?? 0));
}

export function compact(value: number): string {
  return short.format(value);
}

export function coefficient(value: number | undefined): string {
  return value === undefined || value === null ? 'undefined' : Number(value).toFixed(4);
}

// "0.0412", and "< 0.0001" for what rounds to nothing.
export function chance(value: number | undefined): string {
  if (value === undefined || value === null) return '';
  return Number(value) < 0.0001 ? '< 0.0001' : Number(value).toFixed(4);
}

export function ago(time: string | undefined): string {
  if (!time) return '';
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  if (seconds < 5) return 'now';
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h ago`;
  return new Date(time).toISOString().slice(0, 10);
}

// "3600s" as "1 h".
export function duration(text: string | undefined): string {
  const seconds = parseFloat(text ?? '');
  if (!seconds) return '–';
  for (const [unit, size] of [['d', 86400], ['h', 3600], ['min', 60]] as const) {
    if (seconds >= size && seconds % size === 0) return `${seconds / size} ${unit}`;
  }
  return `${seconds} s`;
}
