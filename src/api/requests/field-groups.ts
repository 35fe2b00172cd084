/** Rules about which fields of a message are set together: the `buf.validate.message` options of the contract. */
import { type DescField, type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { message as messageOption } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

/** Fields of which one must be set. A field without presence is set when it holds more than its default. */
export interface FieldGroup {
  readonly fields: readonly DescField[];
  /** Whether the others must be absent then. */
  readonly exclusive: boolean;
}

const ONE_OF_THESE = /^has\(this\.\w+\)( \|\| has\(this\.\w+\))+$/;

/** The groups of a message. Throws for a rule that is not known. */
export function groupsOf(desc: DescMessage): readonly FieldGroup[] {
  if (!hasOption(desc, messageOption)) return [];
  const { oneof, cel, celExpression } = getOption(desc, messageOption);
  if (cel.length > 0) throw new Error(`rule cel of ${desc.toString()} is not known`);
  const find = (name: string): DescField => {
    const field = desc.fields.find((one) => one.name === name);
    if (field === undefined) throw new Error(`${desc.toString()} has no field ${name}`);
    return field;
  };
  const exclusive = oneof.map(({ fields, required }) => {
    if (required !== true) throw new Error(`rule oneof of ${desc.toString()} is only known with required`);
    return { fields: fields.map(find), exclusive: true };
  });
  const others = celExpression.map((expression) => {
    if (!ONE_OF_THESE.test(expression)) throw new Error(`rule ${expression} of ${desc.toString()} is not known`);
    return { fields: [...expression.matchAll(/this\.(\w+)/g)].map(([, name = ""]) => find(name)), exclusive: false };
  });
  return [...exclusive, ...others];
}
