// Who is signed in. A key is shown once and exchanged for a session, or the browser goes to the issuer and comes back with
// one; the page keeps neither, only what its changes have to show beside the cookie.
import {call, type Session} from './api.js';
import {byId, h, toast} from './dom.js';

let session: Session | undefined;
// The tenant of what the page shows. Without a session that is the one of callers without a key.
let shown = 'default';
// Calls that are refused at the same moment wait for the same person.
let asking: Promise<boolean> | undefined;

export function signedIn(): Session | undefined {
  return session;
}

// Where somebody may work: in a tenant, and there in some projects or in all.
function place({tenant, projects}: Session): string {
  const bound = projects?.length ? `, ${projects.length === 1 ? 'project' : 'projects'} ${projects.join(', ')}` : '';
  return `${tenant === 'default' ? '' : ` in ${tenant}`}${bound}`;
}

function show(): void {
  byId('who').replaceChildren(...(session
    ? [`${session.principal}, ${session.role}${place(session)} `, h('button', {id: 'sign-out', click: () => void signOut()}, 'Sign out')]
    : [h('button', {id: 'sign-in', click: () => void signIn()}, 'Sign in')]));
}

function keep(found: Session | undefined): void {
  session = found;
  show();
}

export function endedSession(): void {
  if (session) keep(undefined);
}

// Goes on with the session of the cookie, if there is one.
export async function resumeSession(): Promise<void> {
  show();
  try {
    const caller = await call<{principal: string}>('GET', '/api/auth/caller');
    if (caller.principal === 'anonymous') return;
    const found = await call<Session>('GET', '/api/session');
    shown = found.tenant;
    keep(found);
  } catch {
    // Ended meanwhile, or no answer: whoever wants to do something is asked then.
  }
}

async function exchange(input: HTMLInputElement, fault: HTMLElement): Promise<boolean> {
  fault.textContent = '';
  try {
    const made = await call<Session>('POST', '/api/session', {api_key: input.value.trim()});
    if (made.tenant !== shown || made.projects?.length) {
      // What is here is of another tenant, or of more projects, and so may be what a change waits for: it must not go on.
      location.reload();
      return false;
    }
    keep(made);
    return true;
  } catch (error) {
    fault.textContent = (error as Error).message;
    return false;
  } finally {
    input.value = '';
    input.focus();
  }
}

// Offers the issuer, if people sign in at one. The page is left then, and comes back as it is now.
async function offerIssuer(): Promise<void> {
  try {
    const {issuer} = await call<{issuer: string}>('GET', '/api/session/ways');
    if (!issuer) return;
    const button = byId('issuer-sign-in');
    button.textContent = `Sign in with ${issuer}`;
    button.onclick = () => {
      const here = location.pathname + location.search + location.hash;
      location.assign(`/api/session/oidc:begin?return_path=${encodeURIComponent(here.length > 512 ? '/' : here)}`);
    };
    byId('issuer-way').hidden = false;
  } catch {
    // A key does as well.
  }
}

function ask(): Promise<boolean> {
  const dialog = byId('key-dialog') as HTMLDialogElement;
  const form = byId('key-form') as HTMLFormElement;
  const input = byId('key-input') as HTMLInputElement;
  const fault = byId('key-fault');
  fault.textContent = '';
  input.value = '';
  dialog.returnValue = '';
  dialog.showModal();
  void offerIssuer();
  return new Promise((resolve) => {
    const submit = (event: Event): void => {
      event.preventDefault();
      void exchange(input, fault).then((done) => { if (done) dialog.close('ok'); });
    };
    const cancel = (): void => dialog.close('');
    form.addEventListener('submit', submit);
    byId('key-cancel').addEventListener('click', cancel);
    dialog.addEventListener('close', () => {
      form.removeEventListener('submit', submit);
      byId('key-cancel').removeEventListener('click', cancel);
      input.value = '';
      resolve(dialog.returnValue === 'ok');
    }, {once: true});
  });
}

// Whether somebody signed in.
export function signIn(): Promise<boolean> {
  asking ??= ask().finally(() => { asking = undefined; });
  return asking;
}

async function signOut(): Promise<void> {
  try {
    await call('DELETE', '/api/session');
  } catch (error) {
    toast((error as Error).message);
    return;
  }
  keep(undefined);
  location.reload();  // what is shown may not be for everyone
}
