// What the sections of the page have in common: a head, a form for something new, told failures.
import { announce, button, element, field } from './dom.js';

export function sectionHead(title, ...tools) {
  return element('header', { class: 'head' }, element('h2', {}, title),
    element('span', { class: 'grow' }), ...tools);
}

/** A line of a definition list. */
export function fact(name, ...values) {
  return [element('dt', {}, name), element('dd', {}, ...values)];
}

/** Do it, and tell when it was refused; whether it was done. */
export async function tried(action) {
  try {
    await action();
    return true;
  } catch (error) {
    if (error.status === undefined) throw error; // not a refusal: a bug belongs into the console
    announce(error.message, 'bad');
    return false;
  }
}

/** A form that is folded away until wanted; `create` gets what was filled in. */
export function newForm(title, fields, create) {
  const inputs = fields.map(({ name, required = false }) => element('input', {
    name, required, autocomplete: 'off', spellcheck: 'false' }));
  const form = element('form', { class: 'new', hidden: true, on: { submit } },
    fields.map(({ label, hint }, index) => field(label, inputs[index], hint)),
    element('div', { class: 'tools' }, element('button', { class: 'primary' }, 'Create'),
      button('Cancel', () => fold(true))));
  const opener = button(title, () => fold(!form.hidden), {
    class: 'small', 'aria-expanded': 'false' });

  function fold(wanted) {
    form.hidden = wanted;
    opener.setAttribute('aria-expanded', String(!wanted));
    (wanted ? opener : inputs[0]).focus();
  }

  async function submit(event) {
    event.preventDefault();
    const filled = inputs.filter((input) => input.value.trim());
    const draft = Object.fromEntries(filled.map((input) => [input.name, input.value.trim()]));
    if (await tried(() => create(draft))) {
      form.reset();
      fold(true);
    }
  }

  form.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    fold(true);
  });
  return { element: form, opener };
}
