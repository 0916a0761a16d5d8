// A line for the media of a page, which can be cut and mended.
import { createSocket } from 'node:dgram';

const HOST = '127.0.0.1';
const bound = (socket) => new Promise((resolve) => {
  socket.bind(0, HOST, () => resolve(socket.address().port));
});

export function line() {
  const sockets = [];
  let isCut = false;

  /** A port of the line's own that leads to the server's. */
  async function to(port) {
    const near = createSocket('udp4');
    const far = createSocket('udp4');
    let page;
    near.on('message', (datagram, from) => {
      page = from.port;
      if (!isCut) far.send(datagram, port, HOST);
    });
    far.on('message', (datagram) => {
      if (!isCut && page) near.send(datagram, page, HOST);
    });
    sockets.push(near, far);
    await bound(far);
    return bound(near);
  }

  return {
    to,
    cut: () => { isCut = true; },
    mend: () => { isCut = false; },
    close: () => sockets.forEach((each) => each.close()),
  };
}

/** Lets all media of a page go by `window.wayTo`, as `to` above. Runs in the page, before its scripts. */
export function goByLine() {
  const { setRemoteDescription } = RTCPeerConnection.prototype;
  RTCPeerConnection.prototype.setRemoteDescription = async function byLine({ type, sdp }) {
    const lines = sdp.split('\r\n');
    const at = lines.findIndex((each) => each.startsWith('a=candidate:'));
    const port = await window.wayTo(Number(lines[at].split(' ')[5]));
    const candidate = `a=candidate:1 1 udp 2130706431 127.0.0.1 ${port} typ host`;
    const kept = lines.filter((each, index) => index === at || !each.startsWith('a=candidate:'));
    const described = kept.map((each) => (each === lines[at] ? candidate : each)).join('\r\n');
    return setRemoteDescription.call(this, { type, sdp: described });
  };
}
