// A form that plays the backend of a project: it posts events in the name of a service, with the service's key.

import { element, notice } from './dom.js';

const KEY = 'parlor.service-key';
const WAIT_MS_MAX = 20_000;

/** What a backend might say, to begin with. */
const SAMPLES = {
  story_uploaded: { story: { id: 's-1', title: 'The summer of 1961' }, uploadedBy: 'Ada' },
  story_processing: { storyId: 's-1' },
  story_processed: { storyId: 's-1', words: 1250 },
  transcript_updated: { storyId: 's-1', version: 2 },
  interaction_added: { storyId: 's-1', kind: 'question', text: 'Who is on the photograph?' },
  interaction_updated: { storyId: 's-1', interactionId: 'i-1', answered: true },
  export_started: { exportId: 'e-1', format: 'pdf' },
  export_progress: { exportId: 'e-1', progress: 40 },
  export_ready: { exportId: 'e-1', url: '/exports/e-1.pdf' },
  export_failed: { exportId: 'e-1', reason: 'out of paper' },
};

/**
 * The form for one project.
 * @param {string} projectId
 * @returns {HTMLElement}
 */
export function backendForm(projectId) {
  const event = element('select', { id: 'backend-event' }, ...Object.keys(SAMPLES).map((name) => element('option', { value: name }, name)));
  const data = element('textarea', { id: 'backend-data', rows: '7', spellcheck: 'false' });
  const role = element(
    'select',
    { id: 'backend-role' },
    ...[['', 'everyone'], ['facilitator', 'facilitators'], ['storyteller', 'storytellers']].map(([value, label]) => element('option', { value }, label)),
  );
  const key = element('input', { id: 'backend-key', type: 'password', autocomplete: 'off', required: true, 'aria-describedby': 'backend-key-hint' });
  key.value = sessionStorage.getItem(KEY) ?? '';
  const outcome = element('div', { class: 'notices', 'data-testid': 'backend-outcome' });
  const send = element('button', { type: 'submit', class: 'button primary' }, 'Send');
  const suggest = () => (data.value = JSON.stringify(SAMPLES[event.value], null, 2));
  event.addEventListener('change', suggest);
  suggest();
  const submitted = async (submit) => {
    submit.preventDefault();
    sessionStorage.setItem(KEY, key.value.trim());
    send.disabled = true;
    outcome.replaceChildren(await post(key.value.trim(), projectId, event.value, data.value, role.value));
    send.disabled = false;
  };
  const field = (label, control, hint) =>
    element('div', { class: 'field' }, element('label', { for: control.id }, label), control, hint);
  return element(
    'form',
    { class: 'backend', on: { submit: submitted }, 'data-testid': 'backend' },
    element('h2', {}, 'Play the backend'),
    field('Event', event),
    field('Data', data),
    field('Heard by', role),
    field('Service key', key, element('small', { id: 'backend-key-hint' }, 'SERVICE_API_KEY; in a trial the second line of the file that the server names at its start')),
    outcome,
    element('div', { class: 'actions' }, send),
  );
}

/** Posts one event, and says what came of it. */
async function post(key, projectId, event, text, role) {
  let data;
  try {
    data = JSON.parse(text || '{}');
  } catch (error) {
    return notice(`The data is no JSON: ${error.message}`, 'trouble');
  }
  const said = { event, data, to: { projectId }, ...(role ? { role } : {}) };
  try {
    const response = await fetch('/api/events', {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(said),
      signal: AbortSignal.timeout(WAIT_MS_MAX),
    });
    const answer = await response.json();
    if (!response.ok) return notice(answer.error?.message ?? `the server answered ${response.status}`, 'trouble');
    const place = answer.seq ? `stored as #${answer.seq}` : 'not stored';
    return notice(`${event}: ${place}, heard by ${answer.delivered}`, 'calm');
  } catch {
    return notice('The server cannot be reached.', 'trouble');
  }
}
