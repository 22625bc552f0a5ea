import { exerciseEventLog } from './event-log.ts';
import { openEventStoreDb } from './eventstoredb-under-test.ts';

exerciseEventLog('EventStoreDB', openEventStoreDb);
