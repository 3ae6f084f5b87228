// What a developer writes with the types that openapi-typescript generates.
import type { components, operations } from "./api";

type Schemas = components["schemas"];
type Responses = operations["guest_create"]["responses"];

export const smallest: Schemas["GuestCreate"] = { name: "web", memory: 512 };
export const copy: Schemas["GuestCreate"] = { name: "web", template: "debian", disks: [{ size: 1.5 }] };
export const clone: Schemas["GuestClone"] = { name: "copy" };
export const network: Schemas["NetworkCreate"] = { name: "dmz", from_network: "lan", vlan: 12 };
export const disk: Schemas["DiskCreate"] = { size: 2 };
export const hypervisor: Schemas["Hypervisor"] = "mock";
export const fields: Schemas["GuestField"][] = ["id", "name"];
export const wrong = (error: Responses["409"]["content"]["application/json"]): string => error.message;
// @ts-expect-error: a field that does not exist
export const misspelt: Schemas["GuestCreate"] = { name: "web", memroy: 512 };
