// The keys of a phone. In a call the keyboard presses them too, while they are shown.
import { button, element } from './dom.js';

const KEYS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '0', '#'];
const LETTERS = { 2: 'abc', 3: 'def', 4: 'ghi', 5: 'jkl', 6: 'mno', 7: 'pqrs', 8: 'tuv', 9: 'wxyz' };
const PRESSED_MS = 150;
const SHOWN = 24;

export class Keypad {
  #onPress;
  #keys = new Map();

  /** `isTold`: what was pressed is shown above, and that the keyboard presses them too, below. */
  constructor(onPress, { isTold = false } = {}) {
    this.#onPress = onPress;
    for (const digit of KEYS) {
      this.#keys.set(digit, button([digit, element('small', { 'aria-hidden': 'true' },
        LETTERS[digit] ?? '')], () => this.press(digit), { 'aria-label': digit }));
    }
    this.told = element('output', { class: 'mono digits', 'aria-label': 'Keys pressed' });
    this.element = element('div', { class: 'keypad' }, isTold && this.told,
      element('div', { class: 'keys', role: 'group', 'aria-label': 'Keypad' },
        [...this.#keys.values()]),
      isTold && element('p', { class: 'hint' },
        'The keys 0–9, * and # of the keyboard do the same.'));
  }

  press(digit) {
    const key = this.#keys.get(digit);
    key.classList.add('is-pressed');
    setTimeout(() => key.classList.remove('is-pressed'), PRESSED_MS);
    this.told.textContent = (this.told.textContent + digit).slice(-SHOWN);
    this.#onPress(digit);
  }

  /** Take a key of the keyboard; whether it was one of these. */
  take(event) {
    const isOther = event.ctrlKey || event.metaKey || event.altKey || event.repeat;
    if (isOther || !this.#keys.has(event.key)) return false;
    this.press(event.key);
    return true;
  }
}
