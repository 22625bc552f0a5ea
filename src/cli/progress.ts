import { SingleBar } from 'cli-progress';
import { ageText, numberText } from './format.ts';
import type { Output } from './output.ts';

export interface ProgressUpdate {
  /** 0 to 1. */
  readonly done: number;
  readonly phase: string;
  readonly count: number;
  readonly perSecond: number;
  readonly etaMs: number | null;
}

export interface Progress {
  update(now: ProgressUpdate): void;
  /** Leaves a last line about what was done. */
  end(summary: string): void;
}

const LINE_EVERY_MS = 5_000;

/** Shows how far long work is: a bar on a terminal, a line now and then elsewhere, nothing to programs. */
export function progressOf(out: Output, name: string): Progress {
  if (out.json) return { update: () => {}, end: () => {} };
  return out.watched ? bar(out, name) : lines(out, name);
}

function bar(out: Output, name: string): Progress {
  const shown = new SingleBar({
    stream: process.stderr,
    format: `${name.padEnd(14)} {bar} {percentage}%  {phase}  {count} events  {rate}/s  {eta_text}`,
    barsize: 24,
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
    barCompleteChar: '━',
    barIncompleteChar: '─',
    // The cursor must come back after Ctrl-C.
    gracefulExit: true,
  });
  let begun = false;
  return {
    update(now) {
      const payload = {
        phase: now.phase,
        count: numberText(now.count),
        rate: numberText(Math.round(now.perSecond)),
        eta_text: etaText(now),
      };
      if (!begun) shown.start(1_000, Math.round(now.done * 1_000), payload);
      else shown.update(Math.round(now.done * 1_000), payload);
      begun = true;
    },
    end(summary) {
      if (begun) shown.stop();
      out.note(`${name.padEnd(14)} ${summary}`);
    },
  };
}

function lines(out: Output, name: string): Progress {
  let phase = '';
  let spokeAt = 0;
  return {
    update(now) {
      if (now.phase === phase && performance.now() - spokeAt < LINE_EVERY_MS) return;
      phase = now.phase;
      spokeAt = performance.now();
      const percent = `${Math.floor(now.done * 100)}%`;
      const rate = `${numberText(Math.round(now.perSecond))}/s`;
      out.note(
        `${name}: ${phase} ${percent}, ${numberText(now.count)} events, ${rate} ${etaText(now)}`.trimEnd(),
      );
    },
    end: (summary) => out.note(`${name}: ${summary}`),
  };
}

const etaText = ({ etaMs }: ProgressUpdate): string =>
  etaMs === null || etaMs <= 0 ? '' : `${ageText(etaMs)} left`;
