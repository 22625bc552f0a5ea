import { ContendedError } from '../../commands/contended-error.ts';

type OneByOne = <Result>(task: () => Promise<Result>) => Promise<Result>;

/** Runs tasks one after the other, in the order of the calls. Rejects with ContendedError when `most` are waiting or running. */
export function oneByOne(what: string, most: number): OneByOne {
  let open = 0;
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    if (open >= most) return Promise.reject(new ContendedError(what));
    open += 1;
    const turn = last.then(task).finally(() => {
      open -= 1;
    });
    last = turn.catch(() => undefined);
    return turn;
  };
}
