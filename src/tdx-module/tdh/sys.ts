import type { LeafTable } from '../context.ts';
import { sysConfig } from './sys-config.ts';
import { sysInfo } from './sys-info.ts';
import { sysInit } from './sys-init.ts';
import { sysKeyConfig } from './sys-key-config.ts';
import { sysLpInit } from './sys-lp-init.ts';
import { sysLpShutdown } from './sys-lp-shutdown.ts';
import { sysRd } from './sys-rd.ts';
import { sysRdall } from './sys-rdall.ts';
import { sysShutdown } from './sys-shutdown.ts';
import { sysTdmrInit } from './sys-tdmr-init.ts';
import { sysUpdate } from './sys-update.ts';

/** TDH.SYS.* */
export const sysLeaves: LeafTable = {
  SYS_INIT: sysInit,
  SYS_LP_INIT: sysLpInit,
  SYS_INFO: sysInfo,
  SYS_RD: sysRd,
  SYS_RDALL: sysRdall,
  SYS_CONFIG: sysConfig,
  SYS_KEY_CONFIG: sysKeyConfig,
  SYS_TDMR_INIT: sysTdmrInit,
  SYS_LP_SHUTDOWN: sysLpShutdown,
  SYS_SHUTDOWN: sysShutdown,
  SYS_UPDATE: sysUpdate,
};
