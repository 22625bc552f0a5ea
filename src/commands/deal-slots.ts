/** Who owns each slot: one for every waiter in turn, so that few jobs spread over many workers. */
export function dealSlots<Waiter extends { readonly request: { readonly max: number } }>(
  waiters: readonly Waiter[],
  most: number,
): readonly Waiter[] {
  const owners: Waiter[] = [];
  for (let round = 0; owners.length < most; round += 1) {
    const open = waiters.filter(({ request }) => request.max > round);
    if (open.length === 0) break;
    owners.push(...open.slice(0, most - owners.length));
  }
  return owners;
}
