/** What a model is told: the messages of a task, with everything of the system first. */
import type { AiParameters } from "../../engine/ports/models/questions.ts";
import { instructionOf, type JsonForm } from "./json-answer.ts";
import type { ChatMessage } from "./process/protocol.ts";

/** The messages of the first call of an attempt. */
export function conversationOf(
  { prompt, messages, system }: Pick<AiParameters, "prompt" | "messages" | "system">,
  form: JsonForm | null,
): readonly ChatMessage[] {
  const given: readonly ChatMessage[] = messages ?? [{ role: "user", content: prompt ?? "" }];
  // Not every protocol has a place for further messages of the system.
  const told = given.filter(({ role }) => role === "system").map(({ content }) => content);
  const rules = [system ?? "", ...told, form === null ? "" : instructionOf(form)].filter((text) => text !== "");
  const talk = given.filter(({ role }) => role !== "system");
  return rules.length === 0 ? talk : [{ role: "system", content: rules.join("\n\n") }, ...talk];
}
