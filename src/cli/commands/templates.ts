/** `orchestrator templates`: lists, prints, and deletes templates. */
import type { Command } from "commander";
import { TemplateSchema } from "../../gen/orchestrator/v1/template_pb.ts";
import { TemplateService } from "../../gen/orchestrator/v1/template_service_pb.ts";
import type { CommandContext } from "../command-context.ts";
import { CompletedArgument } from "../completion/completed.ts";
import {
  addConnectOptions,
  addOutputOption,
  type ConnectOptions,
  type OutputOptions,
  withClient,
} from "../connection/connect.ts";
import { readPages } from "../input/read-pages.ts";
import { printText, toStdout } from "../terminal/output.ts";
import { printJson, toPrintable } from "../terminal/print.ts";
import { formatTable } from "../terminal/table.ts";

type Options = ConnectOptions & OutputOptions;

export function defineTemplates(command: Command, _context: CommandContext): void {
  const list = command
    .command("list")
    .description("list the templates of a service")
    .action((options: Options) =>
      withClient(options, async (client) => {
        const templates = await readPages(Number.POSITIVE_INFINITY, async (pageToken, pageSize) => {
          const page = await client.call(TemplateService.method.listTemplates, { pageToken, pageSize });
          return { lines: page.templates, next: page.nextPageToken };
        });
        if (options.output === "json")
          return printJson({ templates: templates.map((template) => toPrintable(TemplateSchema, template)) });
        const rows = templates.map((template) => [
          template.templateId,
          template.version,
          template.variables.map(({ name, required }) => (required ? name : `[${name}]`)).join(" "),
          template.description,
        ]);
        toStdout`${formatTable(["TEMPLATE", "VERSION", "VARIABLES", "DESCRIPTION"], rows)}`;
      }),
    );
  const get = command
    .command("get")
    .description("print the source of a template, ready to save and change")
    .addArgument(new CompletedArgument("<template>", "id of the template", "template"))
    .action((templateId: string, options: Options) =>
      withClient(options, async (client) => {
        const { template } = await client.call(TemplateService.method.getTemplate, { templateId });
        if (template === undefined) return;
        if (options.output === "json") printJson(toPrintable(TemplateSchema, template));
        else printText(template.source);
      }),
    );
  const remove = command
    .command("delete")
    .description("delete a template that was approved; its flow and its runs stay")
    .addArgument(new CompletedArgument("<template>", "id of the template", "template"))
    .action((templateId: string, options: Options) =>
      withClient(options, async (client) => {
        const { deleted } = await client.call(TemplateService.method.deleteTemplate, { templateId });
        if (options.output === "json") printJson({ deleted });
        else toStdout`${deleted ? `template ${templateId} is deleted` : `there is no template ${templateId}`}\n`;
      }),
    );
  for (const one of [list, get, remove]) addOutputOption(addConnectOptions(one));
}
