/**
 * The `Date` field line (RFC 9110 §6.6.1, IMF-fixdate), made anew at most once a second, from numbers alone:
 * the core has no calendar.
 */

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_S = 86_400;

export class DateLine {
  /** `Date: Sun, 06 Nov 1994 08:49:37 GMT` and CRLF. */
  readonly bytes = new Uint8Array("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n".length);
  #second = -1;

  /** Brings `bytes` up to `unixMs` and returns them. */
  at(unixMs: number): Uint8Array {
    const second = Math.floor(unixMs / 1000);
    if (second === this.#second) return this.bytes;
    this.#second = second;
    const text = `Date: ${imfFixdate(second)}\r\n`;
    for (let i = 0; i < text.length; i++) this.bytes[i] = text.charCodeAt(i);
    return this.bytes;
  }
}

/** `unixS` as `Sun, 06 Nov 1994 08:49:37 GMT`. Years 1970 to 9999. */
export function imfFixdate(unixS: number): string {
  const days = Math.floor(unixS / DAY_S);
  const rest = unixS - days * DAY_S;
  // Civil date from days (Hinnant): a year that begins in March puts the leap day last.
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  const month = marchMonth < 10 ? marchMonth + 2 : marchMonth - 10;
  const year = yearOfEra + era * 400 + (month < 2 ? 1 : 0);
  const time = `${two(Math.floor(rest / 3_600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}`;
  return `${DAYS[(days + 4) % 7]}, ${two(day)} ${MONTHS[month]} ${String(year).padStart(4, "0")} ${time} GMT`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
