CREATE TABLE `attempt_history` (
	`task` text NOT NULL,
	`epoch` integer NOT NULL,
	`pool` text NOT NULL,
	`runner` text NOT NULL,
	`title` text NOT NULL,
	`repository` text,
	`agent_type` text NOT NULL,
	`task_state` text NOT NULL,
	`outcome` text NOT NULL,
	`code` text,
	`queued_ms` integer NOT NULL,
	`started_ms` integer NOT NULL,
	`finished_ms` integer NOT NULL,
	`exit_code` integer,
	`log_bytes` integer NOT NULL,
	`timings` text,
	`git` text,
	PRIMARY KEY(`task`, `epoch`)
);
--> statement-breakpoint
CREATE INDEX `attempt_history_pool` ON `attempt_history` (`pool`,`finished_ms`);--> statement-breakpoint
CREATE TABLE `audit` (
	`pool` text NOT NULL,
	`seq` integer NOT NULL,
	`at_ms` integer NOT NULL,
	`actor` text NOT NULL,
	`action` text NOT NULL,
	`target` text NOT NULL,
	`detail` text NOT NULL,
	PRIMARY KEY(`pool`, `seq`)
);
--> statement-breakpoint
CREATE TABLE `credential` (
	`id` text PRIMARY KEY NOT NULL,
	`pool` text NOT NULL,
	`name` text NOT NULL,
	`kind` text NOT NULL,
	`scope` text NOT NULL,
	`hash` text,
	`created_ms` integer NOT NULL,
	`revoked_ms` integer,
	`at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `credential_pool` ON `credential` (`pool`);--> statement-breakpoint
CREATE TABLE `member` (
	`team` text NOT NULL,
	`login` text NOT NULL,
	`role` text NOT NULL,
	`created_ms` integer NOT NULL,
	PRIMARY KEY(`team`, `login`),
	FOREIGN KEY (`team`) REFERENCES `team`(`name`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `pool` (
	`name` text PRIMARY KEY NOT NULL,
	`team` text NOT NULL,
	`created_ms` integer NOT NULL,
	FOREIGN KEY (`team`) REFERENCES `team`(`name`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `repository` (
	`pool` text NOT NULL,
	`url` text NOT NULL,
	`seen_ms` integer NOT NULL,
	PRIMARY KEY(`pool`, `url`)
);
--> statement-breakpoint
CREATE TABLE `runner` (
	`id` text PRIMARY KEY NOT NULL,
	`pool` text NOT NULL,
	`name` text NOT NULL,
	`labels` text NOT NULL,
	`x` text NOT NULL,
	`state` text NOT NULL,
	`enrolled_ms` integer NOT NULL,
	`at_ms` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `runner_pool` ON `runner` (`pool`);--> statement-breakpoint
CREATE TABLE `team` (
	`name` text PRIMARY KEY NOT NULL,
	`created_ms` integer NOT NULL
);
