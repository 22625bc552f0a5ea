/** Which lanes that workers wait for are behind the log: the others let them go first. */
export class RightOfWay {
  readonly #behind = new Set<object>();

  /** An urgent lane says where it is. */
  tell(lane: object, isBehind: boolean): void {
    if (isBehind) this.#behind.add(lane);
    else this.#behind.delete(lane);
  }

  get isTaken(): boolean {
    return this.#behind.size > 0;
  }
}
