import { expect, it } from 'vitest';
import { JobsApiError } from '../../src/sdk/errors.ts';

it('lists what is wrong where, and what is wrong with the whole', () => {
  const errors = [
    { pointer: '/id', detail: 'is required' },
    { pointer: '', detail: 'is not UTF-8' },
  ];
  const { message } = new JobsApiError({ status: 400, code: 'validation', detail: 'two faults', errors });
  expect(message).toBe('two faults\n  /id: is required\n  is not UTF-8');
});
