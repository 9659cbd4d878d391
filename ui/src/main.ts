// Puts the page together and keeps it fresh.
import type {Run} from './api.js';
import {setUpAudit} from './audit.js';
import {refreshBackfills} from './backfills.js';
import {toast} from './dom.js';
import {joinedProfiles, refreshJoin, setUpJoin} from './join.js';
import {refreshParts} from './parts.js';
import {allProfiles, refreshProfiles} from './profiles.js';
import {refreshQuarantine} from './quarantine.js';
import {refreshQuotas} from './quotas.js';
import {refreshRecords, setUpRecords, shownProfile} from './records.js';
import {followRuns} from './runs.js';
import {resumeSession} from './session.js';
import {readState} from './state.js';

const SETTLE_MS = 700;
const touched = new Set<string>();
let settling = 0;

async function setUp(): Promise<void> {
  const profiles = await allProfiles();
  setUpRecords(profiles);
  await setUpJoin(profiles);
  await Promise.all([refreshJoin(), refreshRecords()]);
}

// Many runs may end at once; what shows their profiles is drawn again a moment later, once.
function onRunEnded(run: Run): void {
  touched.add(run.profile_id);
  if (settling) return;
  settling = window.setTimeout(() => {
    settling = 0;
    const profiles = new Set(touched);
    touched.clear();
    void refreshProfiles();
    void refreshBackfills();
    void refreshQuarantine();
    if (run.rows_out === 0) return;
    if (!readState().left) void setUp();
    else if (joinedProfiles().some((id) => profiles.has(id))) void refreshJoin();
    if (profiles.has(shownProfile()) && !readState().page) void refreshRecords();
  }, SETTLE_MS);
}

await resumeSession();
void refreshParts();
setInterval(() => void refreshParts(), 10000);
void refreshQuotas();
setInterval(() => void refreshQuotas(), 10000);
void refreshBackfills();
setInterval(() => void refreshBackfills(), 10000);
void refreshQuarantine();
void refreshProfiles();
followRuns(onRunEnded);
setUpAudit();
setUp().catch((error: Error) => toast(error.message));
window.addEventListener('popstate', () => {
  void refreshJoin();
  void refreshRecords();
});
