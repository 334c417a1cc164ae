// The state of a capture as the server sends it: whole each time, and again by itself after every break.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const UNKNOWN_JOB = 4404;

/** Calls `onMessage` with every message of a job until it has ended; `onConnection(isThere)` at each change. */
export function follow(job, onMessage, onConnection) {
  let wait = FIRST_WAIT_MS;
  let isOver = false;
  let socket = null;
  let timer = 0;

  const connect = () => {
    clearTimeout(timer);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    socket = new WebSocket(`${scheme}://${location.host}/ws/${encodeURIComponent(job)}`);
    socket.onmessage = (event) => {
      const message = JSON.parse(event.data);
      wait = FIRST_WAIT_MS;
      isOver = message.type === "complete" || message.type === "error";
      onConnection(true);
      onMessage(message);
    };
    socket.onclose = (event) => {
      if (isOver || event.code === UNKNOWN_JOB) return stop();
      onConnection(false);
      timer = setTimeout(connect, wait);
      wait = Math.min(2 * wait, LONGEST_WAIT_MS);
    };
  };
  // A phone that was locked has lost its connection, and its timers stood still.
  const wake = () => {
    if (document.visibilityState === "visible" && socket.readyState === WebSocket.CLOSED) connect();
  };
  const stop = () => {
    isOver = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", wake);
    socket.close();
  };

  document.addEventListener("visibilitychange", wake);
  connect();
  return stop;
}
