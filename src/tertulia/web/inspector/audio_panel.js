// The audio of one conversation, for who is in it and for who only looks: legs, sounds, recordings.
import { element, iconButton } from './dom.js';
import { LegsView } from './legs_view.js';
import { Recordings } from './recordings.js';
import { tried } from './section.js';
import { SoundDesk } from './sound_desk.js';

export class AudioPanel {
  #room;

  /** `conversation` is what REST gives for it; `onClose` is called when it was closed. */
  constructor(room, conversation, onClose) {
    this.#room = room;
    this.id = conversation.id;
    this.desk = new SoundDesk(room, this.id);
    this.legs = new LegsView(room, this.id, (legs) => this.desk.show(legs));
    this.recordings = new Recordings(room, this.id, (address) => this.desk.play(address));
    this.element = element('section', { class: 'audio', 'aria-label': 'Audio' },
      element('div', { class: 'item-head' },
        element('h3', {}, `Audio of ${conversation.display_name || conversation.name}`),
        iconButton('close', 'Look no longer', () => { this.stop(); onClose(); })),
      this.legs.element, this.desk.element, this.recordings.element);
  }

  async start() {
    this.legs.start();
    await tried(async () => {
      const path = `/v0.3/conversations/${this.id}/members?page_size=100`;
      const members = await this.#room.api.page(path, 'members');
      for (const member of members.items) this.#room.names.learnMember(member);
      await this.recordings.load();
    });
  }

  stop() {
    this.legs.stop();
    this.element.remove();
  }

  /** An event of the application's stream. */
  onEvent(envelope) {
    if (envelope.conversation_id !== this.id) return;
    this.desk.onEvent(envelope);
    this.recordings.onEvent(envelope);
  }
}
