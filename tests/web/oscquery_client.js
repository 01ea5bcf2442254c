// An OSCQuery client of npm's packages oscquery, ws and osc; prints what is sent and received.
const { OSCQueryDiscovery } = require("oscquery");
const WebSocket = require("ws");
const osc = require("osc");

const PORT = Number(process.argv[2]);
const SHOWN = ["/nemo/gain", "/nemo/real/bass", "/nemo/delay/note", "/nemo/bypass",
  "/nemo/model/load", "/nemo/status/state", "/nemo/ping"];

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

async function main() {
  const service = await new OSCQueryDiscovery().queryNewService("127.0.0.1", PORT);
  console.log("HOST_INFO:", JSON.stringify(service.hostInfo));
  const methods = service.flat();
  console.log("addresses:", methods.length);
  for (const path of SHOWN) {
    console.log(JSON.stringify(methods.find(method => method.full_path === path)));
  }

  const socket = new WebSocket(`ws://127.0.0.1:${PORT}`);
  let jobs = 0; // that have ended
  socket.on("message", (data, isBinary) => {
    const packet = isBinary ? osc.readPacket(new Uint8Array(data), {}) : JSON.parse(data);
    console.log("<-", JSON.stringify(packet));
    jobs += ["/nemo/done", "/nemo/error"].includes(packet.address);
  });
  await new Promise(resolve => socket.on("open", resolve));

  const command = async content => {
    console.log("->", JSON.stringify(content));
    socket.send(JSON.stringify(content));
    await pause(200);
  };
  const send = async packet => {
    console.log("->", JSON.stringify(packet));
    socket.send(osc.writePacket(packet));
    await pause(200);
  };
  const float = (address, value) => ({ address, args: [{ type: "f", value }] });

  await command({ COMMAND: "LISTEN", DATA: "/nemo/bass" });
  await command({ COMMAND: "LISTEN", DATA: "/nemo/text/bass" });
  await send(float("/nemo/bass", 0.75));
  await send({ address: "/nemo/treble", args: [] });
  await send({
    timeTag: osc.timeTag(0),
    packets: [float("/nemo/bass", 0.25), float("/nemo/mid", 0.25)],
  });
  await send(float("/nemo/real/bass", 99));
  await command({ COMMAND: "IGNORE", DATA: "/nemo/text/bass" });
  const load = methods.find(method => method.full_path === "/nemo/model/load");
  const name = load.arguments[0].range.vals[2].toUpperCase();
  await send({ address: "/nemo/model/load", args: [{ type: "s", value: name }] });
  while (jobs < 1) await pause(100);
  await send({ address: "/nemo/model/rescan", args: [] });
  while (jobs < 2) await pause(100);
  await pause(300);
  socket.close();
}

main().catch(error => {
  console.error(error);
  process.exit(1);
});
