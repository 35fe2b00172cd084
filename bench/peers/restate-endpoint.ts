/** The process with Restate's handler: three effectful no-op steps. First argument: the port. */
import * as restate from "@restatedev/restate-sdk";

async function doNothing(value: number): Promise<number> {
  return value + 1;
}

const three = restate.service({
  name: "three",
  handlers: {
    run: async (ctx: restate.Context, value: number): Promise<number> => {
      const first = await ctx.run("first", () => doNothing(value));
      const second = await ctx.run("second", () => doNothing(first));
      return await ctx.run("third", () => doNothing(second));
    },
  },
});

process.on("disconnect", () => process.exit(0));
await restate.serve({ services: [three], port: Number(process.argv[2]) });
