/** Jobs claimed ahead: tenants take turns, each tenant's jobs stay in their order. */
export class WaitingJobs<Job extends { readonly claim: { readonly job: { readonly tenantId: string } } }> {
  /** None is empty; whose turn is next comes first. */
  readonly #byTenant = new Map<string, Job[]>();
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(job: Job): void {
    const { tenantId } = job.claim.job;
    const jobs = this.#byTenant.get(tenantId);
    if (jobs) jobs.push(job);
    else this.#byTenant.set(tenantId, [job]);
    this.#length += 1;
  }

  shift(): Job | undefined {
    for (const [tenantId, jobs] of this.#byTenant) {
      const job = jobs.shift();
      this.#byTenant.delete(tenantId);
      if (jobs.length > 0) this.#byTenant.set(tenantId, jobs);
      if (!job) continue;
      this.#length -= 1;
      return job;
    }
    return undefined;
  }

  remove(job: Job): void {
    const { tenantId } = job.claim.job;
    const jobs = this.#byTenant.get(tenantId);
    const index = jobs?.indexOf(job) ?? -1;
    if (!jobs || index < 0) return;
    jobs.splice(index, 1);
    this.#length -= 1;
    if (jobs.length === 0) this.#byTenant.delete(tenantId);
  }

  takeAll(): readonly Job[] {
    const all = [...this.#byTenant.values()].flat();
    this.#byTenant.clear();
    this.#length = 0;
    return all;
  }
}
