/** What must be known of a method before signs are compared: tests hold these against camlucida's own tables. */

/** Values above 0 are what argues against the finding. */
export const OPPOSING: readonly string[] = ["counterfactual grad-cam"];

/** The map is the same for every finding, so its sign says nothing of any. */
export const SIGNLESS: readonly string[] = ["attention rollout", "eigen-cam"];
