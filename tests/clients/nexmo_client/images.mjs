// Images: uploaded, made smaller, shown to the members only, deleted.
import { BrowserRequest, rejection } from '../live.mjs';
import { png } from '../png.mjs';
import { assert, step, until } from '../steps.mjs';

const SIZE = [600, 400];

export async function images(pair, { hers, his }) {
  const file = new Blob([png(...SIZE)], { type: 'image/png' });
  const shown = await step('sendImage: the others get it in three sizes', async () => {
    await hers.conversation.sendImage(file);
    const { event } = await his.next('image');
    const { original, medium, thumbnail } = event.body.representations;
    assert.ok(original.url && medium.url && thumbnail.url);
    return event;
  });
  await step('fetchImage: the original as it was, the others smaller', async () => {
    const original = octets(await shown.fetchImage('original'));
    assert.deepEqual(original, png(...SIZE));
    for (const name of ['medium', 'thumbnail']) assert.ok(octets(await shown.fetchImage(name)).length > 100);
  });
  await step('it is reported and seen like a text', async () => {
    await hers.next('image:delivered', ({ id }) => id === shown.id);
    await shown.seen();
    await hers.next('image:seen', ({ id }) => id === shown.id);
  });
  await step('uploadImage alone sends nothing', async () => {
    const before = his.heard.all(({ type }) => type === 'image').length;
    const request = await hers.conversation.uploadImage(file);
    await until('the upload', () => request.readyState === 4);
    assert.equal(request.status, 200);
    await his.conversation.getMyMember();
    assert.equal(his.heard.all(({ type }) => type === 'image').length, before);
  });
  await step('what is no image is refused', async () => {
    const request = await hers.conversation.uploadImage(new Blob(['not a picture'], { type: 'image/png' }));
    await until('the answer', () => request.readyState === 4);
    assert.ok([400, 415].includes(request.status), String(request.status));
  });
  await step('abortSendImage', async () => {
    const request = await hers.conversation.uploadImage(file);
    assert.ok(request instanceof BrowserRequest);
    hers.conversation.abortSendImage(request);
    await until('the end', () => request.readyState === 4);
  });
  await step('del: event and picture go', async () => {
    const { url } = shown.body.representations.original;
    const { event: own } = await hers.next('image', ({ id }) => id === shown.id);
    await own.del();
    await his.next('event:delete', ({ id }) => id === shown.id);
    const [{ value: again }] = await Promise.allSettled([fetch(url)]);
    assert.ok(again.status >= 400);
    await again.body.cancel();
    await rejection(own.fetchImage('original').then((text) => assert.ok(!octets(text).length)));
  });
}

const octets = (data) => Buffer.from(data.slice(data.indexOf(',') + 1), 'base64');
