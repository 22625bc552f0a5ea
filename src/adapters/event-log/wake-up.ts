/** A pause that can be cut short. A call while nobody pauses ends the next pause at once, so none is lost. */
export class WakeUp {
  #called = false;
  #end: (() => void) | undefined;

  call(): void {
    this.#called = true;
    this.#end?.();
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#end = undefined;
        this.#called = false;
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.#end = end;
      if (this.#called) end();
    });
  }
}
