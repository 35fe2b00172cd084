/** Names of services: what tasks write, and what a configuration or a registry says where they are. */
export const SERVICE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** The rule in words. */
export const SERVICE_NAME_RULE = "up to 128 letters, digits, . _ and -, beginning with a letter or digit";
